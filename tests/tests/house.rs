//! The whole house from the outside: through real sockets, TLS, files and processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod house {
    pub mod programs;
    pub mod architecture;
    pub mod tidy;
    pub mod facts;
    pub mod commands;
    pub mod knowledge;
    pub mod law;
    pub mod life;
    pub mod exposure;
    pub mod path;
    pub mod contexts;
    pub mod units;
    pub mod line;
    pub mod enrol;
    pub mod quarantine;
    pub mod gap;
    pub mod plan;
    pub mod discover;
    pub mod courier;
    pub mod restore;
    pub mod chaos;
    pub mod hostile;
    pub mod hostile_agent;
    pub mod large;
    pub mod bench;
    pub mod page;
    pub mod pages;
    pub mod press;
    pub mod every_page;
    pub mod axe;
    pub mod who;
    pub mod openid;
    pub mod steps;
    pub mod wall;
    pub mod acts;
    pub mod forms;
    pub mod people;
    pub mod scripts_off;
    pub mod hostile_names;
    pub mod receivers;
    pub mod alerts;
    pub mod field;
    pub mod then;
    pub mod filter;
}
