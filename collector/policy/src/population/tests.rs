//! Populations: what is counted does not depend on how it comes, and what differs is told.

use super::*;
use crate::date::PartialDate;
use crate::differing::differing;
use crate::part::Told;
use model::{Attribution, ComponentClass, Role, SupplierRef};
use proptest::prelude::*;
use std::sync::LazyLock;
use time::macros::date;
use time::{Date, Duration};
use uuid::Uuid;

pub(crate) static POLICIES: LazyLock<Policies> = LazyLock::new(|| Policies::built_in().unwrap());
static NOTHING: BTreeMap<String, PartialDate> = BTreeMap::new();
const TODAY: Date = date!(2026 - 11 - 25);

fn who(id: &str, confidence: f64) -> Attribution {
    Attribution {
        supplier: SupplierRef {
            id: id.to_owned(),
            name: id.to_owned(),
        },
        confidence,
    }
}

fn part(index: usize, maker: Option<(&str, f64)>, brand: Option<&str>, acquired: Option<i32>) -> Part {
    Part {
        component: (index > 0).then(|| index.to_string()),
        class: (index > 0).then_some(ComponentClass::Module),
        label: format!("part {index}"),
        maker: maker.map(|(id, confidence)| who(id, confidence)),
        brand: brand.map(|id| who(id, 0.9)),
        acquired: acquired.map(|year| year.to_string().parse().unwrap()),
        told: Told::default(),
    }
}

/// Elements of operators who declared much, little or nothing.
pub(crate) fn assets(most: usize) -> impl Strategy<Value = Vec<Asset>> {
    let tags: Vec<String> = POLICIES
        .rules()
        .flat_map(|rule| rule.bound.tags.clone())
        .collect();
    let codes = vec!["DE", "EU", "GB", "US", "IN", "SE", "EE", "AU", "DK", "NO", "ZZ"];
    let makers = vec![
        "huawei",
        "zte",
        "hisilicon",
        "nokia",
        "cisco",
        "hikvision",
        "dahua",
        "nobody",
    ];
    let place = (
        prop::sample::subsequence(codes, 0..=2),
        prop::option::of(prop::sample::select(Role::ALL.to_vec())),
        prop::sample::subsequence(vec!["4G", "5G", "FTTP"], 0..=2),
        prop::sample::subsequence(tags.clone(), 0..=tags.len()),
        prop::sample::select(vec!["berlin", "leeds"]),
    );
    let maker = prop::option::of((
        prop::sample::select(makers.clone()),
        prop::sample::select(vec![0.4, 0.7, 0.95]),
    ));
    let brand = prop::option::weighted(0.2, prop::sample::select(makers));
    let parts = prop::collection::vec((maker, brand, prop::option::of(2015..2027i32)), 0..4);
    let rest = (
        any::<bool>(),
        any::<bool>(),
        0..3usize,
        prop::option::of(0..1_000u64),
        any::<u128>(),
    );
    let asset = (place, parts, rest).prop_map(|((codes, role, generations, tags, site), parts, rest)| {
        let (maker_known, complete, seen, price, key) = rest;
        let mut place = Place::nowhere();
        place.element = ElementId(Uuid::from_u128(key));
        place.site = site.parse().unwrap();
        place.jurisdictions = codes.into_iter().map(str::to_owned).collect();
        place.role = role;
        place.generations = generations.into_iter().map(str::to_owned).collect();
        place.tags = tags.into_iter().collect();
        let parts = parts.into_iter().enumerate();
        Asset {
            name: key.to_string(),
            place,
            parts: parts
                .map(|(index, (maker, brand, year))| part(index, maker, brand, year))
                .collect(),
            maker_known,
            complete,
            seen: [Seen::ByThen, Seen::Presumed, Seen::NotYet][seen],
            price,
        }
    });
    prop::collection::vec(asset, 0..=most)
}

fn on(as_of: Date, assumed: &BTreeMap<String, PartialDate>) -> Question<'_> {
    Question {
        as_of,
        as_known: Some(TODAY),
        assumed,
        powers: false,
    }
}

fn survey(assets: &[Asset], as_of: Date) -> Survey<'static> {
    let mut survey = Survey::new(Recall::new(&POLICIES, on(as_of, &NOTHING)));
    for asset in assets {
        survey.take(asset);
    }
    survey
}

fn compare<'a>(
    assets: &[Asset],
    sides: [Question<'a>; 2],
    only: Option<&'a BTreeSet<String>>,
) -> Comparison<'a> {
    let [before, after] = sides.map(|question| Recall::new(&POLICIES, question).only(only));
    let mut comparison = Comparison::new(before, after, 5);
    assets
        .iter()
        .for_each(|asset| comparison.take(Some(asset), Some(asset)));
    comparison
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn neither_order_nor_lots_matter(assets in assets(12), cut in 0..13usize, days in 0..3_000i64) {
        let as_of = date!(2020 - 01 - 01) + Duration::days(days);
        let whole = survey(&assets, as_of).finish();
        let mut turned = assets.clone();
        turned.reverse();
        let (first, second) = turned.split_at(cut.min(turned.len()));
        let mut lots = survey(first, as_of);
        lots.merge(survey(second, as_of));
        prop_assert_eq!(&lots.finish(), &whole);

        let sides = [on(as_of, &NOTHING), on(TODAY, &NOTHING)];
        let all = compare(&assets, sides, None).finish();
        let mut lots = compare(first, sides, None);
        lots.merge(compare(second, sides, None));
        prop_assert_eq!(&lots.finish(), &all);

        // What opens and closes is the difference of the two states, in every table.
        let then = survey(&assets, TODAY).finish();
        prop_assert_eq!(then.findings + all.total.closed, whole.findings + all.total.opened);
        for (by, groups) in &all.groups {
            let sum = |of: fn(&Change) -> u64| groups.values().map(of).sum::<u64>();
            let told = [sum(|c| c.opened), sum(|c| c.closed), sum(|c| c.changed)];
            prop_assert_eq!(told, [all.total.opened, all.total.closed, all.total.changed], "{:?}", by);
        }
        for groups in whole.groups.values() {
            prop_assert_eq!(groups.values().map(|group| group.findings).sum::<u64>(), whole.findings);
        }
    }

    #[test]
    fn asking_only_what_differs_changes_no_answer(assets in assets(12), rule in 0..200usize, days in 0..3_000i64) {
        let as_of = date!(2020 - 01 - 01) + Duration::days(days);
        let rules: Vec<_> = POLICIES.rules().map(|rule| rule.id.clone()).collect();
        let assumed = BTreeMap::from([(rules[rule % rules.len()].clone(), PartialDate::from(date!(2020 - 01 - 01)))]);
        let sides = [on(as_of, &NOTHING), on(as_of, &assumed)];
        let only = differing((&POLICIES, &sides[0]), (&POLICIES, &sides[1])).unwrap();
        prop_assert_eq!(only.len(), 1);
        let few = compare(&assets, sides, Some(&only)).finish();
        let mut all = compare(&assets, sides, None).finish();
        for said in &mut all.caps {
            said.retain(|capped| only.contains(&capped.rule));
        }
        prop_assert_eq!(few, all);
    }
}

fn asset(number: u128, role: Role, generation: &str, maker: Option<&str>, price: Option<u64>) -> Asset {
    let mut place = Place::nowhere();
    place.element = ElementId(Uuid::from_u128(number));
    place.site = "leeds".parse().unwrap();
    place.jurisdictions = ["GB", "EU"].map(str::to_owned).into();
    place.role = Some(role);
    place.generations.insert(generation.to_owned());
    place.tags = ["gb_directed_provider", "eu_network_operator"]
        .map(str::to_owned)
        .into();
    Asset {
        name: format!("e{number}"),
        place,
        parts: vec![part(0, maker.map(|id| (id, 0.95)), None, Some(2019))],
        maker_known: maker.is_some(),
        complete: true,
        seen: Seen::ByThen,
        price,
    }
}

#[test]
fn a_cap_is_said_of_the_whole_and_of_no_element() {
    let of = |maker: Option<&'static str>, count: u128, from: u128| {
        (from..from + count).map(move |number| asset(number, Role::Access, "FTTP", maker, None))
    };
    for (unknown, expected, high) in [(8, "undecided", 38.0), (2, "within_cap", 32.0)] {
        let mut population: Vec<Asset> = of(Some("huawei"), 30, 0).collect();
        population.extend(of(None, unknown, 100));
        population.extend(of(Some("nokia"), 70 - unknown, 200));
        let exposure = survey(&population, TODAY).finish();
        let cap = exposure
            .caps
            .iter()
            .find(|cap| cap.rule == "GB-DVD-FTTP-CAP")
            .unwrap();
        assert_eq!((cap.class.as_str(), cap.low, cap.high), (expected, 30.0, high));
        assert!(!exposure.groups[&By::Rule].contains_key("GB-DVD-FTTP-CAP"));
        assert_eq!(exposure.elements.unknown_maker, u64::try_from(unknown).unwrap());
        // Whose maker is unknown is not clear.
        assert!(exposure.standings[&Standing::Unknown] >= u64::try_from(unknown).unwrap());
    }
}

#[test]
fn an_assumed_draft_opens_findings_with_their_month_and_cost() {
    let population = [
        asset(1, Role::Ran, "5G", Some("zte"), Some(1_000)),
        asset(2, Role::Ran, "5G", Some("zte"), None),
        asset(3, Role::Ran, "5G", Some("nokia"), Some(5)),
    ];
    let assumed = BTreeMap::from([("EU-CSA2-PROP".to_owned(), "2026-02".parse().unwrap())]);
    let sides = [on(TODAY, &NOTHING), on(TODAY, &assumed)];
    let found = compare(&population, sides, None).finish();
    let expected = Change {
        opened: 2,
        elements: 2,
        cost: 1_000,
        unpriced: 1,
        ..Change::default()
    };
    assert_eq!(found.total, expected);
    assert_eq!(found.groups[&By::Month]["2029-02"], expected);
    assert_eq!(found.groups[&By::Supplier]["zte"], expected);
    assert_eq!(found.groups[&By::Rule]["EU-CSA2-PROP"], expected);
    let first = found.examples.first().unwrap();
    assert_eq!((first.name.as_str(), first.before.is_none()), ("e1", true));
    assert_eq!(first.after, Some((ResultClass::Due, Some("2029-02".to_owned()))));
    // The other way round they close, and cost nothing.
    let [before, after] = sides;
    let found = compare(&population, [after, before], None).finish();
    assert_eq!(
        (found.total.closed, found.total.opened, found.total.cost),
        (2, 0, 0)
    );
}

#[test]
fn an_element_known_to_one_side_alone_opens_or_closes_all_it_has() {
    let known = asset(1, Role::Core, "5G", Some("huawei"), None);
    let recall = || Recall::new(&POLICIES, on(TODAY, &NOTHING));
    let mut comparison = Comparison::new(recall(), recall(), 0);
    comparison.take(None, Some(&known));
    comparison.take(Some(&known), None);
    comparison.take(None, None);
    let found = comparison.finish();
    assert!(
        found.total.opened > 0 && found.total.opened == found.total.closed,
        "{found:?}"
    );
    assert!(found.examples.is_empty());
}
