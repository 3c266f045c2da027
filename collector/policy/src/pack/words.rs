//! The words of the packs: closed lists, each word with what it means.
//!
//! Invariant: a word that is not listed is refused on loading, with the list.

use serde::Deserialize;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// The word in packs and pages.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value a word stands for.
            #[must_use]
            pub fn read(word: &str) -> Option<Self> {
                [$(Self::$variant,)+].into_iter().find(|value| value.as_str() == word)
            }

            /// All words, in this order.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];
        }
    };
}

choice!(
    /// The standing of a rule at the horizon of its pack.
    Status {
        /// Law, licence term or direction.
        Enacted = "enacted",
        /// Advice or stated policy.
        Guidance = "guidance",
        /// Binds whoever signed.
        Contract = "contract",
        /// A draft.
        Proposed = "proposed",
        /// Another rule took its place.
        Superseded = "superseded",
        /// Lapsed without taking effect.
        Expired = "expired",
        /// Held for a while, then ended.
        Repealed = "repealed",
        /// On hold.
        Suspended = "suspended",
        /// Taken back at once.
        Withdrawn = "withdrawn",
        /// Looked for, and there is none.
        NoneFound = "none_found",
        /// An allegation without proof.
        Unproven = "unproven",
    }
);

choice!(
    /// How sure a row or a fact from general knowledge is.
    Confidence {
        /// Read in a good source.
        High = "high",
        /// Rests on summaries, or a part of it is open.
        Medium = "medium",
        /// A pointer for further work.
        Low = "low",
    }
);

impl Confidence {
    /// As a share of certainty, 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        match self {
            Self::High => 1.0,
            Self::Medium => 0.85,
            Self::Low => 0.6,
        }
    }
}

choice!(
    /// How a rule says which supplier it means.
    Mode {
        /// By name.
        Named = "named",
        /// By reference to a list kept elsewhere.
        ListReference = "list_reference",
        /// By criteria; suppliers, if any, are a reading.
        Criteria = "criteria",
        /// By the country that controls the supplier.
        CountryOfControl = "country_of_control",
        /// By the country of its headquarters.
        CountryOfHeadquarters = "country_of_headquarters",
        /// By where the thing was made.
        CountryOfProduction = "country_of_production",
        /// By a dated fact about a country of the supplier: a treaty, a law at home.
        CountryFact = "country_fact",
        /// Everything needs an approval, whoever made it.
        ApprovalList = "approval_list",
        /// By a share owned by listed firms.
        Ownership = "ownership",
        /// It tests no supplier at all: a duty of the operator whatever the maker.
        NoneNamed = "none_named",
    }
);

impl Mode {
    /// Whether it asks something of every maker's goods, and so of nobody in particular.
    #[must_use]
    pub fn any_maker(self) -> bool {
        matches!(
            self,
            Self::ApprovalList | Self::CountryOfHeadquarters | Self::CountryOfProduction
        )
    }
}

choice!(
    /// Which affiliation edges a rule counts. Brand and OEM customer edges never count.
    #[derive(Default)]
    Affiliates {
        /// None: the listed firm alone.
        #[default]
        ListedOnly = "listed_only",
        /// Firms it controls.
        Group = "group",
        /// Firms it controls, and minority holdings and joint ventures as possible matches.
        SubsidiariesAndAffiliates = "subsidiaries_and_affiliates",
        /// As before, and the firms that control it.
        WithParents = "with_parents",
        /// Firms it controls, and things that only carry its brand.
        Brand = "brand",
    }
);

choice!(
    /// A part of the network, or something no element can be.
    Segment {
        /// Packet and IP core.
        Core = "core",
        /// Radio access.
        Ran = "ran",
        /// Transport.
        Transport = "transport",
        /// Fixed access.
        Access = "access",
        /// Management.
        Management = "management",
        /// Customer premises.
        Cpe = "cpe",
        /// Video surveillance.
        Video = "video",
        /// Anything else in a network.
        Other = "other",
        /// A service; no element is one.
        Service = "service",
        /// A handset; no element is one.
        Handset = "handset",
        /// A drone; no element is one.
        Drone = "drone",
    }
);

choice!(
    /// How deep into a unit a rule reaches.
    Level {
        /// What a catalogue or the operator calls critical.
        CriticalComponent = "critical_component",
        /// Substantial or essential component, or critical technology (s.889).
        EssentialComponent = "essential_component",
        /// A radio module with a grant of its own.
        ModularTransmitter = "modular_transmitter",
        /// Any part.
        ComponentPart = "component_part",
        /// A chip.
        Semiconductor = "semiconductor",
        /// The board of a server.
        Mainboard = "mainboard",
        /// Software inside another product.
        IntegratedSoftware = "integrated_software",
        /// The finished product; parts are treated otherwise.
        EndProduct = "end_product",
    }
);

choice!(
    /// New things, installed things, or neither.
    State {
        /// What is bought or put in from now on.
        New = "new",
        /// What is there.
        Installed = "installed",
        /// Both.
        Both = "both",
        /// It is not about things an operator has.
        None = "none",
    }
);

choice!(
    /// What is restricted.
    Action {
        /// Buying.
        Procure = "procure",
        /// Putting in.
        Install = "install",
        /// Running.
        Use = "use",
        /// Spending public money on it.
        FundWithSubsidy = "fund_with_subsidy",
        /// Granting an equipment authorisation.
        AuthoriseEquipment = "authorise_equipment",
        /// Importing and marketing.
        ImportMarket = "import_market",
        /// Contracting with somebody who uses it.
        ContractWithUser = "contract_with_user",
        /// Providing a service.
        ProvideService = "provide_service",
        /// Interconnecting.
        Interconnect = "interconnect",
        /// Telling an authority.
        Report = "report",
        /// Sending goods to the firm.
        ExportTo = "export_to",
        /// Selling in shops on the premises.
        SellOnPremises = "sell_on_premises",
        /// Merging with or buying the firm.
        MergeAcquire = "merge_acquire",
        /// Nothing but standing on a list.
        ListOnly = "list_only",
    }
);

impl Action {
    /// As people say it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Procure => "buying",
            Self::Install => "installing",
            Self::Use => "using",
            Self::FundWithSubsidy => "spending public money",
            Self::AuthoriseEquipment => "authorising new equipment",
            Self::ImportMarket => "importing and marketing",
            Self::ContractWithUser => "contracts with those who use it",
            Self::ProvideService => "providing a service",
            Self::Interconnect => "interconnecting",
            Self::Report => "reporting",
            Self::ExportTo => "exporting to the firm",
            Self::SellOnPremises => "selling on the premises",
            Self::MergeAcquire => "merging with or buying the firm",
            Self::ListOnly => "standing on a list",
        }
    }
}

choice!(
    /// With what effect.
    Effect {
        /// May not be.
        Prohibited = "prohibited",
        /// No more of it.
        NoNew = "no_new",
        /// Out by a date.
        RemoveBy = "remove_by",
        /// At most a share.
        Cap = "cap",
        /// Not without an approval.
        NeedsApproval = "needs_approval",
        /// An authority may act, or the operator must assess.
        Review = "review",
        /// Worth knowing.
        Watch = "watch",
        /// Nothing follows from it for equipment.
        None = "none",
    }
);

choice!(
    /// What sort of date a deadline is.
    DeadlineKind {
        /// Asked for, not required.
        Urged = "urged",
        /// Required.
        Binding = "binding",
        /// A stated aim without a duty.
        Goal = "goal",
        /// End of a waiver or carve-out.
        WaiverEnd = "waiver_end",
        /// A date of the procedure (comments, a step of its start).
        Procedure = "procedure",
    }
);

choice!(
    /// How good a fact is.
    Grade {
        /// Read in the source named.
        Stored = "stored",
        /// Known, but no source was read for it.
        GeneralKnowledge = "general_knowledge",
    }
);

choice!(
    /// Which country of a supplier a fact is asked of.
    Whose {
        /// Where its headquarters are.
        Headquarters = "headquarters",
        /// Where its headquarters are, where it is controlled from, or where a group it belongs to has either.
        Group = "group",
    }
);

choice!(
    /// A day in the life of a thing.
    DateOf {
        /// It was made.
        Made = "made",
        /// It was bought.
        Acquired = "acquired",
        /// It was put in.
        Installed = "installed",
        /// Its model was authorised.
        Authorised = "authorised",
    }
);
