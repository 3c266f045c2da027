//! The recordings of `tests/data` and what must come out of each.

/// File, maker, brand, confidence from and to, doubts that must be there.
pub struct Case {
    pub file: &'static str,
    pub maker: &'static str,
    pub brand: &'static str,
    pub least: f64,
    pub most: f64,
    pub doubts: Vec<&'static str>,
}

/// All cases.
pub fn cases() -> Vec<Case> {
    CASES.lines().filter(|line| !line.is_empty()).map(case).collect()
}

fn case(line: &'static str) -> Case {
    let mut words = line.split_whitespace();
    let mut word = || words.next().unwrap();
    Case {
        file: word(),
        maker: word(),
        brand: word(),
        least: word().parse().unwrap(),
        most: word().parse().unwrap(),
        doubts: words.collect(),
    }
}

const CASES: &str = "
huawei_switch.snmprec                        huawei             huawei             0.95 1.00
printer_label.snmprec                        ricoh              savin              0.70 0.95
cable_modem.snmprec                          hitron             hitron             0.50 0.80 generic_enterprise description_only
walk.txt                                     huawei             huawei             0.95 1.00
huawei_behind_generic_agent.snmprec          huawei             huawei             0.70 0.90 generic_enterprise
ups_ident_only.snmprec                       huawei             huawei             0.60 0.80 no_object_id
squatted_number.snmprec                      hikvision          hikvision          0.70 0.85 squatted_number
unregistered_number.snmprec                  dahua              dahua              0.80 0.95 unregistered_number platform_brand
no_system_group.snmprec                      hikvision          hikvision          0.40 0.70 no_object_id
weak_number_contradicted.snmprec             symmetricom        symmetricom        0.60 0.95 needs_corroboration
weak_number_alone.snmprec                    -                  -                  0.00 0.00 needs_corroboration
joint_venture_subtree.snmprec                h3c                h3c                0.80 0.95
oem_hp_label.snmprec                         h3c                hpe                0.90 1.00
oem_fs_label.snmprec                         centec             fs_com             0.80 0.90 oem_brand
whitebox_nos.snmprec                         ufispace           ip_infusion        0.70 0.90 software_only
nos_alone.snmprec                            -                  cumulus            0.00 0.00 software_only no_evidence
generic_linux_nic.snmprec                    -                  -                  0.00 0.00 generic_enterprise board_address_only
generic_windows.snmprec                      -                  -                  0.00 0.00 generic_enterprise board_address_only
plugged_in_modem.snmprec                     -                  -                  0.00 0.00 generic_enterprise board_address_only
board_maker_address.snmprec                  topsec             topsec             0.90 1.00 outweighed
neighbour_huawei.snmprec                     eltex              eltex              0.80 0.90
neighbour_by_cdp.snmprec                     -                  -                  0.00 0.00 generic_enterprise
operator_texts.snmprec                       juniper            juniper            0.80 0.90
malformed_object_id.snmprec                  sonicwall          sonicwall          0.70 0.95 malformed_object_id
substring_traps.snmprec                      -                  -                  0.00 0.00 description_only
restricted_optic_in_clean_chassis.snmprec    pandacom           pandacom           0.80 0.90
joint_brand_optic.snmprec                    cisco              cisco              0.95 1.00 noise_filler
modem_in_private_table.snmprec               teltonika          teltonika          0.70 0.95 element_name_only
broken_tree.snmprec                          arista             arista             0.90 1.00 component_cycle orphan_component repeated_component
binary_description.snmprec                   zte                zte                0.90 1.00
hytera_stub.snmprec                          -                  -                  0.00 0.00 generic_enterprise no_evidence
registry_only.snmprec                        alcoma             alcoma             0.50 0.90
engine_id_alone.snmprec                      -                  -                  0.00 0.00 generic_enterprise needs_corroboration
engine_id_beside_arc.snmprec                 huawei             huawei             0.50 0.75 generic_enterprise
engine_id_beside_boards.snmprec              huawei             huawei             0.50 0.75 generic_enterprise
word_in_passing.snmprec                      -                  -                  0.00 0.00 description_only
word_ordinary.snmprec                        -                  -                  0.00 0.00 description_only
word_ordinary_in_passing.snmprec             -                  -                  0.00 0.00 description_only
word_opens_ordinary.snmprec                  -                  -                  0.00 0.00 description_only
word_of_a_rival.snmprec                      -                  -                  0.00 0.00 description_only
words_of_two.snmprec                         -                  -                  0.00 0.00 description_only
word_opens.snmprec                           huawei             huawei             0.60 0.80 description_only
word_specific.snmprec                        huawei             huawei             0.50 0.70 description_only
word_beside_arc.snmprec                      huawei             huawei             0.70 0.90
word_beside_computer_address.snmprec         supermicro         supermicro         0.70 0.90
peripheral_modem.snmprec                     -                  -                  0.00 0.00 board_address_only
peripheral_modem_only.snmprec                -                  -                  0.00 0.00 board_address_only
half_of_addresses.snmprec                    -                  -                  0.00 0.00 board_address_only
controller_of_another.snmprec                supermicro         supermicro         0.50 0.60 needs_corroboration address_only
controller_alone.snmprec                     -                  -                  0.00 0.00 needs_corroboration
controller_of_its_own.snmprec                aten               aten               0.70 0.85 needs_corroboration
firewall_software.snmprec                    -                  pfsense            0.00 0.00 software_only no_evidence
firewall_software_on_hardware.snmprec        netgate            opnsense           0.75 0.85 software_only
router_software.snmprec                      -                  vyos               0.00 0.00 software_only no_evidence
joint_venture_name.snmprec                   h3c                huawei             0.55 0.65 inherited_subtree
joint_venture_signed.snmprec                 huawei             huawei             0.40 0.60 inherited_subtree contradiction
chassis_made_for_another.snmprec             -                  -                  0.00 0.00 made_for_another no_evidence
registrant_unproven.snmprec                  -                  -                  0.00 0.00 registry_only
registrant_in_two_spellings.snmprec          brodersen_controls brodersen_controls 0.60 0.90 registry_only
registrant_spoken.snmprec                    ventelo_norge      ventelo_norge      0.70 0.90 registry_only
registrant_of_an_arc.snmprec                 -                  -                  0.00 0.00 generic_enterprise
uncurated_address_alone.snmprec              -                  -                  0.00 0.00 board_address_only
shared_protocol_card.snmprec                 -                  -                  0.00 0.00 generic_enterprise
bought_company.snmprec                       vertiv             avocent            0.80 0.98
storage_on_bsd.snmprec                       emc                emc                0.60 0.70 description_only
optics_of_a_white_box.snmprec                ufispace           ip_infusion        0.70 0.98 noise_filler
word_specific_on_a_host.snmprec              -                  -                  0.00 0.00 description_only generic_enterprise
host_that_speaks_of_products.snmprec         -                  -                  0.00 0.00 description_only generic_enterprise
host_called_like_a_product.snmprec           -                  -                  0.00 0.00 description_only generic_enterprise
repeated_objects.snmprec                     cisco              cisco              0.30 0.70 contradiction repeated_object repeated_component
platform_under_another_name.snmprec          dahua              intelbras          0.70 0.90 unregistered_number platform_brand
platform_unregistered_alone.snmprec          dahua              dahua              0.70 0.80 unregistered_number platform_brand
label_company_itself.snmprec                 intelbras          intelbras          0.90 1.00
restricted_optics_in_private_table.snmprec   eltex              eltex              0.85 1.00 noise_filler
module_makers.snmprec                        cisco              cisco              0.95 1.00
stack_members.snmprec                        huawei             huawei             0.90 1.00
clean_optics_in_restricted_chassis.snmprec   huawei             huawei             0.95 1.00
optic_in_name_only.snmprec                   pandacom           pandacom           0.80 0.90
vendor_type_alone.snmprec                    -                  -                  0.00 0.00 board_address_only
vendor_type_beside_word.snmprec              juniper            juniper            0.60 0.90 generic_enterprise
vendor_type_of_another.snmprec               eltex              eltex              0.80 0.90 outweighed
bridge_address.snmprec                       huawei             huawei             0.40 0.60 address_only
addresses_nobody_assigned.snmprec            -                  -                  0.00 0.00 no_evidence
noise_in_makers_fields.snmprec               cisco              cisco              0.95 1.00 noise_filler noise_pci_id noise_revision noise_reseller_code
registered_by_anothers_hand.snmprec          tp_link_tech       tp_link_tech       0.80 0.95 squatted_number
chassis_that_disagree.snmprec                cisco              cisco              0.80 0.90 several_makers contradiction
chassis_that_disagree_under_software.snmprec -                  vyos               0.00 0.00 several_makers contradiction
chassis_most_of_one.snmprec                  cisco              vyos               0.70 0.80 several_makers outweighed
chassis_in_two_spellings.snmprec             -                  vyos               0.00 0.00 several_makers
brands_that_disagree.snmprec                 -                  vyos               0.00 0.00 software_only outweighed
generic_agent_alone.snmprec                  -                  -                  0.00 0.00 generic_enterprise no_evidence
";
