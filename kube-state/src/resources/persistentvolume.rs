//! PersistentVolumes: what backs them, how large they are, and which claim has them.

use kubernetes::{
    Quantity,
    lax::{Dict, Int, List, Sub, Text},
};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
    rows::{LabelValue, Rows, Whole},
};

type Family = crate::family::Family<Volumes>;

pub(super) static KIND: Kind<Volumes> = Kind {
    about: About { plural: "persistentvolumes", kind: "PersistentVolume", namespaced: false, ..About::CORE },
    identity: &["persistentvolume"],
    identify: |v, rows| rows.identify(&[&v.metadata.name]),
    families: &[
        Family::gauge(
            "kube_persistentvolume_claim_ref",
            "Claim that a volume is bound to.",
            &["name", "claim_namespace"],
            |v, rows| {
                if let Some(claim) = &v.spec.claim_ref {
                    rows.info(&[&claim.name, &claim.namespace]);
                }
            },
        )
        .stable(),
        Family::annotations("kube_persistentvolume_annotations"),
        Family::labels("kube_persistentvolume_labels").stable(),
        Family::gauge(
            "kube_persistentvolume_status_phase",
            "Phase of a volume, 1 for the current one.",
            &["phase"],
            |v, rows| rows.states(&["Pending", "Available", "Bound", "Released", "Failed"], &v.status.phase),
        )
        .stable(),
        Family::gauge(
            "kube_persistentvolume_info",
            "What backs a volume; always 1. Only the labels of its sort of storage are filled.",
            &[
                "storageclass",
                "gce_persistent_disk_name",
                "ebs_volume_id",
                "azure_disk_name",
                "fc_wwids",
                "fc_lun",
                "fc_target_wwns",
                "iscsi_target_portal",
                "iscsi_iqn",
                "iscsi_lun",
                "iscsi_initiator_name",
                "nfs_server",
                "nfs_path",
                "csi_driver",
                "csi_volume_handle",
                "local_path",
                "local_fs",
                "host_path",
                "host_path_type",
                "reclaim_policy",
            ],
            |v, rows| put_info(rows, &v.spec),
        )
        .stable(),
        Family::gauge("kube_persistentvolume_capacity_bytes", "Size of a volume in bytes.", &[], |v, rows| {
            rows.number(Whole(v.spec.capacity.get("storage").copied().unwrap_or_default()));
        })
        .stable(),
        Family::created("kube_persistentvolume_created"),
        Family::deleted("kube_persistentvolume_deletion_timestamp"),
        Family::gauge(
            "kube_persistentvolume_csi_attributes",
            "How a CSI driver for Ceph maps and mounts a volume; always 1.",
            &["csi_mounter", "csi_map_options"],
            |v, rows| {
                if let Some(csi) = &v.spec.csi {
                    let attribute = |name| csi.volume_attributes.get(name);
                    rows.info(&[&attribute("mounter"), &attribute("mapOptions")]);
                }
            },
        )
        .opt_in(),
        Family::gauge(
            "kube_persistentvolume_volume_mode",
            "Whether a volume holds a file system or is a bare block device; always 1.",
            &["volumemode"],
            |v, rows| match &v.spec.volume_mode {
                Some(mode) => rows.info(&[mode]),
                None => rows.info(&[&"Filesystem"]),
            },
        ),
        Family::gauge(
            "kube_persistentvolume_access_mode",
            "Ways in which a volume can be mounted.",
            &["access_mode"],
            |v, rows| {
                for mode in &v.spec.access_modes {
                    rows.info(&[mode]);
                }
            },
        ),
    ],
};

/// Each sort of storage fills its own places among the labels; the first that the volume has counts.
fn put_info(rows: &mut Rows, spec: &Spec<'_>) {
    if let Some(disk) = &spec.gce_persistent_disk {
        put_info_at(rows, spec, 0, &[&disk.pd_name]);
    } else if let Some(disk) = &spec.aws_elastic_block_store {
        put_info_at(rows, spec, 1, &[&disk.volume_id]);
    } else if let Some(disk) = &spec.azure_disk {
        put_info_at(rows, spec, 2, &[&disk.disk_name]);
    } else if let Some(fc) = &spec.fc {
        put_info_at(rows, spec, 3, &[&joined(&fc.wwids), &fc.lun, &joined(&fc.target_wwns)]);
    } else if let Some(iscsi) = &spec.iscsi {
        put_info_at(rows, spec, 6, &[&iscsi.target_portal, &iscsi.iqn, &iscsi.lun, &iscsi.initiator_name]);
    } else if let Some(nfs) = &spec.nfs {
        put_info_at(rows, spec, 10, &[&nfs.server, &nfs.path]);
    } else if let Some(csi) = &spec.csi {
        put_info_at(rows, spec, 12, &[&csi.driver, &csi.volume_handle]);
    } else if let Some(local) = &spec.local {
        put_info_at(rows, spec, 14, &[&local.path, &local.fs_type]);
    } else if let Some(host) = &spec.host_path {
        put_info_at(rows, spec, 16, &[&host.path, &host.kind]);
    } else {
        put_info_at(rows, spec, 0, &[]);
    }
}

fn put_info_at(rows: &mut Rows, spec: &Spec<'_>, first: usize, storage: &[&dyn LabelValue]) {
    let mut labels: [&dyn LabelValue; 20] = [&""; 20];
    let [class, backing @ .., reclaim_policy] = &mut labels;
    *class = &spec.storage_class_name;
    for (label, value) in backing.iter_mut().skip(first).zip(storage) {
        *label = *value;
    }
    *reclaim_policy = &spec.persistent_volume_reclaim_policy;
    rows.info(&labels);
}

/// With commas between; leading empty texts have none.
fn joined(texts: &List<Text<'_>>) -> String {
    texts.iter().fold(String::new(), |mut all, text| {
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(text.as_str());
        all
    })
}

pub(super) struct Volumes;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Volume<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    claim_ref: Option<Sub<ClaimRef<'v>>>,
    capacity: Dict<'v, Quantity>,
    access_modes: List<Text<'v>>,
    volume_mode: Option<Text<'v>>,
    storage_class_name: Text<'v>,
    persistent_volume_reclaim_policy: Text<'v>,
    gce_persistent_disk: Option<Sub<GceDisk<'v>>>,
    aws_elastic_block_store: Option<Sub<EbsDisk<'v>>>,
    azure_disk: Option<Sub<AzureDisk<'v>>>,
    fc: Option<Sub<Fc<'v>>>,
    iscsi: Option<Sub<Iscsi<'v>>>,
    nfs: Option<Sub<Nfs<'v>>>,
    csi: Option<Sub<Csi<'v>>>,
    local: Option<Sub<Local<'v>>>,
    host_path: Option<Sub<HostPath<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct ClaimRef<'v> {
    name: Text<'v>,
    namespace: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct GceDisk<'v> {
    pd_name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct EbsDisk<'v> {
    #[serde(rename = "volumeID")]
    volume_id: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct AzureDisk<'v> {
    disk_name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Fc<'v> {
    wwids: List<Text<'v>>,
    lun: Option<Int>,
    #[serde(rename = "targetWWNs")]
    target_wwns: List<Text<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Iscsi<'v> {
    target_portal: Text<'v>,
    iqn: Text<'v>,
    lun: Int,
    initiator_name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Nfs<'v> {
    server: Text<'v>,
    path: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Csi<'v> {
    driver: Text<'v>,
    volume_handle: Text<'v>,
    volume_attributes: Dict<'v, Text<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Local<'v> {
    path: Text<'v>,
    fs_type: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct HostPath<'v> {
    path: Text<'v>,
    #[serde(rename = "type")]
    kind: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Status<'v> {
    phase: Text<'v>,
}

impl View for Volumes {
    type Of<'v> = Volume<'v>;

    fn meta<'a, 'v: 'a>(v: &'a Volume<'v>) -> &'a Meta<'v> {
        &v.metadata
    }
}
