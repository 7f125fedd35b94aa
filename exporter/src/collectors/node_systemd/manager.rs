//! The manager of systemd, on the other end of a socket.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use zbus::{
    blocking::{Connection, connection::Builder},
    message::Message,
    zvariant::{OwnedObjectPath, OwnedValue},
};

const MANAGER: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A unit, as the manager lists it.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    /// Whether its file was read and made sense.
    pub(super) loaded: bool,
    /// Its `ActiveState`.
    pub(super) state: String,
    path: OwnedObjectPath,
}

impl Unit {
    /// Its type, by its name: "service", "timer", "socket", "mount".
    pub(super) fn suffix(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }
}

/// `(name, description, load state, active state, sub state, followed by, path, job, its type, its path)`.
type Listed = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// A connection that is made when it is needed.
#[derive(Debug)]
pub(super) struct Bus {
    socket: PathBuf,
    /// Whether the manager itself is at the other end, and no bus between.
    direct: bool,
    connection: Option<Connection>,
}

impl Bus {
    pub(super) fn at(socket: PathBuf, direct: bool) -> Self {
        Self { socket, direct, connection: None }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes a new connection at the next call.
    pub(super) fn forget(&mut self) {
        self.connection = None;
    }

    /// A property of the manager.
    pub(super) fn of_manager<T: TryFrom<OwnedValue>>(&mut self, property: &str) -> zbus::Result<T> {
        let value = self.get(MANAGER_PATH, "Manager", property)?;
        value.ok_or_else(|| zbus::Error::Failure(format!("the manager has no {property}")))
    }

    /// A property of a unit; `None` when this version of systemd does not have it, or the unit is gone.
    pub(super) fn of<T: TryFrom<OwnedValue>>(
        &mut self,
        unit: &Unit,
        interface: &str,
        property: &str,
    ) -> zbus::Result<Option<T>> {
        self.get(unit.path.as_str(), interface, property)
    }

    /// All units.
    pub(super) fn units(&mut self) -> zbus::Result<Vec<Unit>> {
        let answer = self.call(MANAGER_PATH, "org.freedesktop.systemd1.Manager", "ListUnits", &())?;
        let listed: Vec<Listed> = answer.body().deserialize()?;
        let unit =
            |(name, _, load, state, _, _, path, ..): Listed| Unit { name, loaded: load == "loaded", state, path };
        Ok(listed.into_iter().map(unit).collect())
    }

    fn get<T: TryFrom<OwnedValue>>(&mut self, path: &str, interface: &str, property: &str) -> zbus::Result<Option<T>> {
        let interface = format!("{MANAGER}.{interface}");
        match self.call(path, PROPERTIES, "Get", &(interface, property)) {
            Ok(answer) => {
                let value: OwnedValue = answer.body().deserialize()?;
                Ok(T::try_from(value).ok())
            }
            Err(zbus::Error::MethodError(..)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn call<B>(&mut self, path: &str, interface: &str, method: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        // The manager itself answers to no name.
        let name = (!self.direct).then_some(MANAGER);
        let answer = connection.call_method(name, path, Some(interface), method, body);
        self.connection = Some(connection);
        answer
    }

    fn connect(&self) -> zbus::Result<Connection> {
        let stream = UnixStream::connect(&self.socket)?;
        let builder = Builder::async_io_unix_stream(stream).method_timeout(CALL_TIMEOUT);
        if self.direct { builder.p2p().build() } else { builder.build() }
    }
}
