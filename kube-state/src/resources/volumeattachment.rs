//! VolumeAttachments: which volume is at which node. Their labels are shown without being allowed.

use kubernetes::lax::{Dict, Flag, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Attachments>;

pub(super) static KIND: Kind<Attachments> = Kind {
    about: About {
        plural: "volumeattachments",
        kind: "VolumeAttachment",
        group: "storage.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["volumeattachment"],
    identify: |a, rows| rows.identify(&[&a.metadata.name]),
    families: &[
        Family::gauge(
            "kube_volumeattachment_labels",
            "Kubernetes labels of the VolumeAttachment, all of them, each as a label_<key>.",
            &[],
            |a, rows| rows.map("label", &a.metadata.labels),
        ),
        Family::gauge(
            "kube_volumeattachment_info",
            "Who attaches a volume, and to which node; always 1.",
            &["attacher", "node"],
            |a, rows| rows.info(&[&a.spec.attacher, &a.spec.node_name]),
        ),
        Family::created("kube_volumeattachment_created"),
        Family::gauge(
            "kube_volumeattachment_spec_source_persistentvolume",
            "PersistentVolume that is attached.",
            &["volumename"],
            |a, rows| {
                if let Some(name) = &a.spec.source.persistent_volume_name {
                    rows.info(&[name]);
                }
            },
        ),
        Family::gauge("kube_volumeattachment_status_attached", "Whether the volume is attached.", &[], |a, rows| {
            rows.number(a.status.attached);
        }),
        Family::gauge(
            "kube_volumeattachment_status_attachment_metadata",
            "What the attacher says about the attachment, each as a metadata_<key>.",
            &[],
            |a, rows| rows.map("metadata", &a.status.attachment_metadata),
        ),
    ],
};

pub(super) struct Attachments;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Attachment<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    attacher: Text<'v>,
    node_name: Text<'v>,
    source: Sub<Source<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Source<'v> {
    persistent_volume_name: Option<Text<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    attached: Flag,
    attachment_metadata: Dict<'v, Text<'v>>,
}

impl View for Attachments {
    type Of<'v> = Attachment<'v>;

    fn meta<'a, 'v: 'a>(a: &'a Attachment<'v>) -> &'a Meta<'v> {
        &a.metadata
    }
}
