//! What both programs know of Kubernetes: the way to its servers, what these answer, and the words of its objects.
//!
//! [`access`] says where a server is and as whom it is asked, [`request`] asks it. [`frames`] cuts lists and watches into
//! objects, [`event`] and [`refusal`] read what a watch says. [`lax`] reads fields without trusting their shape,
//! [`quantity`] and [`time`] what some of them hold. [`owner`], [`workload`] and [`wanted`] are about whom pods belong to,
//! [`rbac`] writes down rights, and by [`peers`] one of our programs tells the other the peer at an address.
//!
//! Nothing here knows a metric or a slice, and nothing outside of it speaks to Kubernetes.
#![forbid(unsafe_code)]
#![expect(clippy::doc_markdown, reason = "kinds are written as Kubernetes writes them")]

pub mod access;
pub mod event;
pub mod frames;
pub mod lax;
pub mod owner;
pub mod peers;
pub mod quantity;
pub mod rbac;
pub mod refusal;
pub mod request;
pub mod time;
pub mod wanted;
pub mod workload;

pub use access::{Access, Credentials, NoAccess};
pub use event::{Event, Identity, What};
pub use frames::{BadFrame, Elements, Lines};
pub use owner::{OwnerKind, Reference};
pub use quantity::Quantity;
pub use refusal::Refusal;
pub use request::{Answer, Api, Load, Manner, Query, Trouble};
pub use wanted::Wanted;
pub use workload::WorkloadRef;
