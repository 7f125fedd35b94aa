//! `--auth-filter`: serves metrics only to clients that the API server authenticates (`TokenReview`) and authorizes to
//! get the path (`SubjectAccessReview`). The bearer token of a request is shown to the API server (TokenReview), and
//! then it is asked whether that user may `get` the path (SubjectAccessReview).

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use daemon::Outage;
use kubernetes::{Api, Trouble};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Time for which a positive answer is cached.
const KEPT: Duration = Duration::from_mins(1);
/// Positive answers that are kept.
const MOST_KEPT: usize = 256;

/// See the module.
#[derive(Clone, Debug)]
pub struct Guard {
    api: Api,
    welcome: Arc<Mutex<HashMap<(String, String), Instant>>>,
    outage: Arc<Mutex<Outage>>,
}

impl Guard {
    /// A guard that asks this server.
    pub fn new(api: Api) -> Self {
        Self { api, welcome: Arc::default(), outage: Arc::default() }
    }

    /// Whether who has this token may have the path; if not, the HTTP status that says so.
    pub async fn judge(self, path: String, token: Option<String>) -> Result<(), u16> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Err(401) };
        let key = (path, token);
        if self.welcome.lock().get(&key).is_some_and(|since| since.elapsed() < KEPT) {
            return Ok(());
        }
        match self.ask(&key.0, &key.1).await {
            Ok(Ok(())) => {
                self.outage.lock().end();
                let mut welcome = self.welcome.lock();
                welcome.retain(|_, since| since.elapsed() < KEPT);
                if welcome.len() < MOST_KEPT {
                    welcome.insert(key, Instant::now());
                }
                Ok(())
            }
            Ok(Err(status)) => Err(status),
            Err(trouble) => {
                let error = daemon::chain(&trouble);
                if self.outage.lock().note(&error) {
                    tracing::warn!(
                        error,
                        "cannot check clients' authorization with the API server; their requests are answered with 500"
                    );
                }
                Err(500)
            }
        }
    }

    async fn ask(&self, path: &str, token: &str) -> Result<Result<(), u16>, Trouble> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
        let review = self.post("/apis/authentication.k8s.io/v1/tokenreviews", &review).await?;
        if review.pointer("/status/authenticated") != Some(&Value::Bool(true)) {
            return Ok(Err(401));
        }
        let user = |field: &str| review.pointer(&format!("/status/user/{field}")).cloned().unwrap_or_default();
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user("username"), "uid": user("uid"), "groups": user("groups"), "extra": user("extra"),
                "nonResourceAttributes": {"path": path, "verb": "get"},
            },
        });
        let review = self.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).await?;
        let is_allowed = review.pointer("/status/allowed") == Some(&Value::Bool(true));
        Ok(if is_allowed { Ok(()) } else { Err(403) })
    }

    async fn post(&self, path: &str, review: &Value) -> Result<Value, Trouble> {
        let answer = self.api.post(path, review.to_string().into_bytes()).await?;
        serde_json::from_slice(&answer).map_err(|error| Trouble::unreadable("review", &error))
    }
}
