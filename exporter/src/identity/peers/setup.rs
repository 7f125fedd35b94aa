//! Starts and ends the thread that asks for addresses, as the configuration says.

use kubernetes::access;

use super::{Peers, Servers, Told, check::credentials, directory::Directory, networks::Network, poll};
use crate::config;

impl Peers {
    /// Asks those whom the configuration names from now on. What is known stays while they are the same.
    pub fn set_up(&self, config: &config::Peers, node: &str) {
        let servers = Servers { urls: config.url.clone(), credentials: credentials(config) };
        {
            let mut state = self.0.state.lock();
            state.networks = config.networks.iter().filter_map(|text| Network::parse(text)).collect();
            state.networks.sort_by_key(|network| std::cmp::Reverse(network.length()));
            node.clone_into(&mut state.node);
            state.api_server = access::server_host().and_then(|host| host.parse().ok());
            state.told.is_on = !servers.urls.is_empty();
        }
        let mut asking = self.0.asking.lock();
        if asking.as_ref().is_some_and(|(_, before)| *before == servers) {
            return;
        }
        *asking = None;
        {
            let mut state = self.0.state.lock();
            state.directory = Directory::default();
            state.told = Told { is_on: state.told.is_on, ..Told::default() };
        }
        if servers.urls.is_empty() {
            return;
        }
        match poll::start(self.clone(), servers.clone()) {
            Ok(stop) => *asking = Some((stop, servers)),
            Err(error) => {
                tracing::warn!(%error, "cannot start the thread that polls peers.url; peers outside this node have no names");
            }
        }
    }
}
