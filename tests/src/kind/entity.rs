//! ENTITY-MIB (RFC 6933) from an outline.
//!
//! One part a line, two blanks deeper than the part it sits in:
//! `class*count ; name ; description ; model ; serial ; maker ; vendor type ; hardware ; firmware ; software`.
//! What is left out at the end is empty; `=` as maker is the kind's own. A line
//! `optic*count ; name ; pool` is that many optics drawn from a pool by weight.

use super::Kind;
use super::dice::{Dice, Places};
use crate::recording::signed;
use model::{Oid, Value};
use std::collections::HashMap;

/// entPhysicalEntry.
const ENTRY: [u32; 11] = [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1];
/// zeroDotZero, a vendor type that says nothing.
const NONE: &str = "0.0";
/// An optic's class: module.
const OPTIC: i64 = 9;

/// Pools of optics by name, with their weights.
#[derive(Debug, Clone, Default)]
pub struct Pools(HashMap<String, Vec<(usize, Optic)>>);

#[derive(Debug, Clone)]
struct Optic {
    maker: String,
    model: String,
    description: String,
    serial: String,
}

/// One line of the outline.
struct Line<'a> {
    depth: usize,
    class: &'a str,
    count: u32,
    fields: Vec<&'a str>,
}

/// A part on its way into the table.
struct Part {
    index: u32,
    parent: u32,
    position: u32,
    class: i64,
    /// Columns 2 and 7 to 13.
    texts: [(u32, String); 8],
    /// Column 3.
    vendor_type: String,
}

impl Pools {
    /// From a table: pool, weight, maker, model, description, serial, separated by tabs.
    ///
    /// # Errors
    /// The number of the first line that has other columns.
    pub fn parse(table: &str) -> Result<Self, String> {
        let mut pools = Self::default();
        for (number, line) in table
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        {
            let why = || {
                format!(
                    "optics, line {}: not pool, weight, maker, model, description, serial",
                    number + 1
                )
            };
            let columns: Vec<&str> = line.split('\t').collect();
            let [pool, weight, maker, model, description, serial] = columns.as_slice() else {
                return Err(why());
            };
            let optic = Optic {
                maker: (*maker).to_owned(),
                model: (*model).to_owned(),
                description: (*description).to_owned(),
                serial: (*serial).to_owned(),
            };
            pools
                .0
                .entry((*pool).to_owned())
                .or_default()
                .push((weight.parse().map_err(|_| why())?, optic));
        }
        Ok(pools)
    }

    fn draw(&self, pool: &str, dice: &mut Dice) -> Option<&Optic> {
        let optics = self.0.get(pool)?;
        let mut rest = dice.below(optics.iter().map(|(weight, _)| weight).sum());
        optics.iter().find_map(|(weight, optic)| {
            if rest < *weight {
                return Some(optic);
            }
            rest -= weight;
            None
        })
    }
}

/// The rows of entPhysicalTable.
///
/// # Errors
/// A sentence that names the line which is wrong.
pub(super) fn rows(
    kind: &Kind,
    pools: &Pools,
    places: &Places,
    dice: &mut Dice,
) -> Result<Vec<(Oid, Value)>, String> {
    let lines: Vec<Line> = kind
        .entity
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(read)
        .collect::<Result<_, _>>()?;
    let [first, step] = kind.index;
    let mut builder = Builder {
        kind,
        pools,
        places,
        dice,
        next: first,
        step,
        parts: Vec::new(),
    };
    builder.branch(&lines, 0, [1, 1], 0)?;
    Ok(builder.parts.iter().flat_map(Part::columns).collect())
}

struct Builder<'a> {
    kind: &'a Kind,
    pools: &'a Pools,
    places: &'a Places,
    dice: &'a mut Dice,
    next: u32,
    step: u32,
    parts: Vec<Part>,
}

impl Builder<'_> {
    /// All parts of the lines of one depth, each followed by what sits in it.
    fn branch(&mut self, lines: &[Line], parent: u32, above: [u32; 2], depth: usize) -> Result<(), String> {
        let mut position = 0;
        let mut rest = lines;
        while let Some((line, below)) = rest.split_first() {
            if line.depth != depth {
                return Err(format!("a part of class {:?} is indented too far", line.class));
            }
            let length = below.iter().take_while(|line| line.depth > depth).count();
            let (children, after) = below.split_at(length);
            for n in 1..=line.count {
                position += 1;
                let [p, g] = above;
                let index = self.part(line, parent, position, [n, p, g])?;
                self.branch(children, index, [n, p], depth + 1)?;
            }
            rest = after;
        }
        Ok(())
    }

    fn part(&mut self, line: &Line, parent: u32, position: u32, counts: [u32; 3]) -> Result<u32, String> {
        let index = self.next;
        self.next += self.step;
        let places = Places {
            counts,
            ..self.places.clone()
        };
        let field = |n: usize| line.fields.get(n).copied().unwrap_or_default();
        let mut fill = |text: &str| places.fill(text, self.dice);
        let name = fill(field(0));
        let part = if line.class == "optic" {
            let optic = self.pools.draw(field(1), self.dice);
            let optic = optic.ok_or_else(|| format!("no pool of optics is called {:?}", field(1)))?;
            let mut fill = |text: &str| places.fill(text, self.dice);
            let (descr, serial) = (fill(&optic.description), fill(&optic.serial));
            Part {
                index,
                parent,
                position,
                class: OPTIC,
                texts: texts([
                    descr,
                    name,
                    String::new(),
                    String::new(),
                    String::new(),
                    serial,
                    optic.maker.clone(),
                    optic.model.clone(),
                ]),
                vendor_type: NONE.to_owned(),
            }
        } else {
            let maker = if field(4) == "=" {
                self.kind.mfg.clone()
            } else {
                fill(field(4))
            };
            let (descr, model, serial) = (fill(field(1)), fill(field(2)), fill(field(3)));
            let (hardware, firmware, software) = (fill(field(6)), fill(field(7)), fill(field(8)));
            let vendor_type = if field(5).is_empty() { NONE } else { field(5) };
            Part {
                index,
                parent,
                position,
                class: class(line.class)?,
                texts: texts([descr, name, hardware, firmware, software, serial, maker, model]),
                vendor_type: vendor_type.to_owned(),
            }
        };
        self.parts.push(part);
        Ok(index)
    }
}

impl Part {
    fn columns(&self) -> Vec<(Oid, Value)> {
        let oid = |column: u32| Oid::from_arcs(&ENTRY).child(&[column, self.index]);
        let integer = |n: i64| Value {
            tag: Value::INTEGER,
            octets: signed(n),
        };
        let vendor_type = self.vendor_type.parse().unwrap_or_default();
        let mut columns = vec![
            (oid(3), Value::object_identifier(&vendor_type)),
            (oid(4), integer(self.parent.into())),
            (oid(5), integer(self.class)),
            (oid(6), integer(self.position.into())),
            (
                oid(16),
                integer(if matches!(self.class, 6 | 7 | OPTIC) { 1 } else { 2 }),
            ),
        ];
        columns.extend(
            self.texts
                .iter()
                .map(|(column, text)| (oid(*column), Value::octet_string(text.as_str()))),
        );
        columns
    }
}

fn texts(texts: [String; 8]) -> [(u32, String); 8] {
    let [descr, name, hardware, firmware, software, serial, maker, model] = texts;
    [
        (2, descr),
        (7, name),
        (8, hardware),
        (9, firmware),
        (10, software),
        (11, serial),
        (12, maker),
        (13, model),
    ]
}

fn read(line: &str) -> Result<Line<'_>, String> {
    let text = line.trim_start();
    let blanks = line.len() - text.len();
    let mut fields: Vec<&str> = text.split(';').map(str::trim).collect();
    let head = fields.remove(0);
    let (class, count) = head.split_once('*').unwrap_or((head, "1"));
    let count = count
        .parse()
        .map_err(|_| format!("{head:?} has no count after its star"))?;
    if blanks % 2 == 1 {
        return Err(format!("{text:?} is indented by an odd number of blanks"));
    }
    Ok(Line {
        depth: blanks / 2,
        class,
        count,
        fields,
    })
}

/// The integer of entPhysicalClass.
fn class(word: &str) -> Result<i64, String> {
    const WORDS: [&str; 12] = [
        "other",
        "unknown",
        "chassis",
        "backplane",
        "container",
        "power",
        "fan",
        "sensor",
        "module",
        "port",
        "stack",
        "cpu",
    ];
    let position = WORDS.iter().position(|known| *known == word);
    let number = position.and_then(|position| i64::try_from(position + 1).ok());
    number.ok_or_else(|| format!("{word:?} is no class of parts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(entity: &str) -> Kind {
        let head = "key = \"k\"\ntitle = \"t\"\nmfg = \"Maker\"\nindex = [10, 10]\nentity = \"\"\"\n";
        toml::from_str(&format!("{head}{entity}\n\"\"\"\n")).unwrap()
    }

    fn column(entity: &str, column: u32) -> Result<Vec<String>, String> {
        let pools = Pools::parse("sfp\t1\tACME\tM1\t10G LR\tS{d4}\n").unwrap();
        let rows = rows(&kind(entity), &pools, &Places::default(), &mut Dice::new("x"))?;
        let wanted = Oid::from_arcs(&ENTRY).child(&[column]);
        let shown = |v: &Value| {
            v.text(99)
                .or_else(|| v.integer().map(|n| n.to_string()))
                .unwrap_or_default()
        };
        Ok(rows
            .iter()
            .filter(|(oid, _)| oid.starts_with(&wanted))
            .map(|(_, v)| shown(v))
            .collect())
    }

    const TREE: &str = "chassis ; Box ; A box ; B-1 ; S{d3} ; =\n  module*2 ; Card {n}\n    optic ; Port {p}/{n} ; sfp\n  fan ; Fan";

    #[test]
    fn outlines_become_trees() {
        assert_eq!(
            column(TREE, 7).unwrap(),
            ["Box", "Card 1", "Port 1/1", "Card 2", "Port 2/1", "Fan"]
        );
        assert_eq!(column(TREE, 4).unwrap(), ["0", "10", "20", "10", "40", "10"]);
        assert_eq!(column(TREE, 5).unwrap(), ["3", "9", "9", "9", "9", "7"]);
        assert_eq!(column(TREE, 12).unwrap(), ["Maker", "", "ACME", "", "ACME", ""]);
        assert_eq!(column(TREE, 6).unwrap(), ["1", "1", "1", "2", "1", "3"]);
    }

    #[test]
    fn wrong_outlines_are_refused() {
        for bad in ["   fan", "chassis\n    fan", "box", "fan*x", "optic ; a ; none"] {
            assert!(column(bad, 2).is_err(), "{bad}");
        }
    }
}
