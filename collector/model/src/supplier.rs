//! A supplier as others refer to it. What is known about suppliers is data of `identify` and `policy`.

use serde::{Deserialize, Serialize};

/// A company by its stable key and the usual English name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SupplierRef {
    /// Lower-case key, the same in `identify` and `policy` (`huawei`, `tp_link_tech`).
    pub id: String,
    /// The usual English name (`Huawei`).
    pub name: String,
}
