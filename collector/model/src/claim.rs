//! What `identify` concludes: claims with their evidence, doubts, and the parts of a unit.
//!
//! Invariant: every claim names the varbind it rests on and the knowledge entry
//! that read it, so that a verdict can be walked back to bytes.

use crate::oid::Oid;
use crate::supplier::SupplierRef;
use serde::{Deserialize, Serialize};

/// What a claim or doubt speaks about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The unit as a whole.
    Unit,
    /// One component, by its [`ComponentIdentity::index`].
    Component(String),
}

/// Which question a claim answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Who built it.
    Maker,
    /// Whose name is on it.
    Brand,
}

/// The kind of evidence a claim rests on, strongest for hardware last checked by people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// sysObjectID.0 below a known prefix or enterprise number.
    SysObjectId,
    /// sysDescr.0 (operator-writable on much equipment).
    SysDescr,
    /// entPhysicalVendorType.
    VendorType,
    /// entPhysicalMfgName.
    MfgName,
    /// Other words of ENTITY-MIB (model, description, name, serial grammar).
    EntityText,
    /// The IEEE prefix of an interface or bridge address.
    Oui,
    /// snmpEngineID (enterprise number or MAC within).
    EngineId,
    /// An enterprise arc that answers.
    EnterpriseArc,
    /// A standard identification object (UPS-MIB upsIdentManufacturer, …).
    IdentObject,
    /// A private table that names parts.
    PrivateTable,
}

/// The varbind a claim or doubt rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRef {
    /// The instance.
    pub oid: Oid,
    /// BER tag of its value.
    pub tag: u8,
    /// Its content octets in hexadecimal, at most 256 octets of them.
    pub octets_hex: String,
    /// The value for people, bounded; escape before showing.
    pub shown: String,
}

/// "This subject is made (or branded) by X, because this varbind matches this entry of knowledge."
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// About what.
    pub subject: Subject,
    /// Maker or brand.
    pub aspect: Aspect,
    /// X.
    pub supplier: SupplierRef,
    /// The kind of evidence.
    pub signal: Signal,
    /// Its weight alone, 0 to 1.
    pub confidence: f64,
    /// The bytes.
    pub evidence: EvidenceRef,
    /// Key of the knowledge entry that matched, e.g. `enterprise:2011` or `oui:00E0FC`.
    pub knowledge: String,
    /// Where that entry comes from, e.g. `IANA private enterprise numbers, 2026-07`.
    pub source: String,
    /// Whether the final answer agrees with it; a losing claim is shown, not dropped.
    pub won: bool,
}

/// Why a claim is weak, contradicted or missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// About what.
    pub subject: Subject,
    /// Stable key, e.g. `generic_enterprise`, `contradiction`, `no_evidence`, `malformed_object_id`.
    pub code: String,
    /// One sentence for people, bounded; escape before showing.
    pub text: String,
    /// The varbind in question, if there is one.
    pub evidence: Option<EvidenceRef>,
}

/// A supplier with the confidence of the weighed claims.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// Who.
    pub supplier: SupplierRef,
    /// 0 to 1 over all claims for and against.
    pub confidence: f64,
}

/// entPhysicalClass (ENTITY-MIB, RFC 6933), with its enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentClass {
    /// 1, or out of range.
    Other,
    /// 2.
    Unknown,
    /// 3.
    Chassis,
    /// 4.
    Backplane,
    /// 5.
    Container,
    /// 6.
    PowerSupply,
    /// 7.
    Fan,
    /// 8.
    Sensor,
    /// 9.
    Module,
    /// 10.
    Port,
    /// 11.
    Stack,
    /// 12.
    Cpu,
    /// 13.
    EnergyObject,
    /// 14.
    Battery,
    /// 15.
    StorageDrive,
}

impl ComponentClass {
    /// From the integer of entPhysicalClass.
    #[must_use]
    pub fn from_integer(n: i64) -> Self {
        match n {
            2 => Self::Unknown,
            3 => Self::Chassis,
            4 => Self::Backplane,
            5 => Self::Container,
            6 => Self::PowerSupply,
            7 => Self::Fan,
            8 => Self::Sensor,
            9 => Self::Module,
            10 => Self::Port,
            11 => Self::Stack,
            12 => Self::Cpu,
            13 => Self::EnergyObject,
            14 => Self::Battery,
            15 => Self::StorageDrive,
            _ => Self::Other,
        }
    }

    /// The word in database and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Unknown => "unknown",
            Self::Chassis => "chassis",
            Self::Backplane => "backplane",
            Self::Container => "container",
            Self::PowerSupply => "power_supply",
            Self::Fan => "fan",
            Self::Sensor => "sensor",
            Self::Module => "module",
            Self::Port => "port",
            Self::Stack => "stack",
            Self::Cpu => "cpu",
            Self::EnergyObject => "energy_object",
            Self::Battery => "battery",
            Self::StorageDrive => "storage_drive",
        }
    }
}

/// One physical part of a unit. Texts come from the device: escape before showing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentIdentity {
    /// entPhysicalIndex, or `table:index` for a private table. Unique within the unit.
    pub index: String,
    /// Index of the part it sits in, if that part exists and the chain ends (cycles are cut).
    pub parent: Option<String>,
    /// Its class.
    pub class: ComponentClass,
    /// entPhysicalName.
    pub name: String,
    /// entPhysicalDescr.
    pub description: String,
    /// entPhysicalModelName.
    pub model: String,
    /// entPhysicalSerialNum.
    pub serial: String,
    /// Firmware, software or hardware revision, first one present.
    pub revision: String,
    /// Who built it, when the evidence speaks of this very part; never inherited from the chassis.
    pub maker: Option<Attribution>,
    /// Whose name is on it.
    pub brand: Option<Attribution>,
}

/// What tells one piece of hardware from another, as far as it answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnitIdentity {
    /// Serial number of the chassis.
    pub serial: Option<String>,
    /// Lowest globally administered address of its own, `aa:bb:cc:dd:ee:ff`.
    pub base_mac: Option<String>,
    /// snmpEngineID, hexadecimal.
    pub engine_id: Option<String>,
    /// Model of the chassis, or what sysDescr says about it.
    pub model: Option<String>,
    /// Software version if told.
    pub software: Option<String>,
    /// sysName.
    pub sys_name: Option<String>,
    /// sysDescr on one line.
    pub sys_descr: Option<String>,
    /// sysObjectID.
    pub sys_object_id: Option<Oid>,
}

/// Everything `identify` concludes from one evidence with one knowledge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identification {
    /// Version of the knowledge used.
    pub knowledge: String,
    /// Who built the unit; `None` is unknown.
    pub maker: Option<Attribution>,
    /// Whose name is on it; `None` is unknown.
    pub brand: Option<Attribution>,
    /// Claims about unit and components, winners first.
    pub claims: Vec<Claim>,
    /// Doubts about unit and components.
    pub doubts: Vec<Doubt>,
    /// What tells the unit from others.
    pub unit: UnitIdentity,
    /// Its parts, parents before children.
    pub components: Vec<ComponentIdentity>,
}
