//! Real hosts: namespaces, TAPs and programs, as root and as a normal user.
//!
//! Making hosts forks, so every test runs in a process of its own with one thread: this binary started again with
//! `--run NAME`. As root every test runs a second time as user 65534. A test that lacks something here is skipped and says
//! what it lacks; with `LONGWIRE_TEST_ALL=1` (as in CI) skipping is failing.
#![allow(unsafe_code)]

#[path = "host/harness.rs"]
mod harness;
#[path = "host/leftovers.rs"]
mod leftovers;
#[path = "host/private.rs"]
mod private;
#[path = "host/programs.rs"]
mod programs;
#[path = "host/setting_up.rs"]
mod setting_up;
#[path = "host/walls.rs"]
mod walls;

fn main() {
    harness::main(
        &[
            ("packets_travel_by_name_over_ipv4_and_ipv6", setting_up::packets_travel),
            ("interfaces_are_as_the_plan_says", setting_up::interfaces),
            ("the_ring_holds_4096_frames_and_counts_what_it_drops", setting_up::ring),
            ("many_hosts_with_many_neighbours_are_made_quickly", setting_up::many_hosts),
            ("of_many_neighbours_a_kernel_gets_those_that_it_asks_for", setting_up::neighbours_on_demand),
            ("a_wrong_plan_is_refused_with_the_reason", setting_up::wrong_plans),
            ("an_interface_in_an_existing_namespace", setting_up::external_namespace),
            ("a_tap_in_the_callers_namespace", setting_up::external_tap),
            ("a_tap_that_existed_is_left_as_it_was", setting_up::borrowed_tap),
            ("hosts_have_names_and_name_servers_of_their_own", private::names),
            ("the_machines_resolver_is_out_of_reach", private::resolver),
            ("folders_are_private_or_the_machines", private::folders),
            ("cgroups_are_seen_in_hosts", private::cgroups),
            ("root_in_a_host_has_no_rights_over_the_machine", private::rights),
            ("no_signal_leaves_a_host", walls::signals),
            ("each_host_has_namespaces_of_its_own", walls::namespaces),
            ("orphans_are_taken_in_and_get_time_to_end", walls::orphans),
            ("a_host_ends_with_its_process_1_and_alone", walls::first_is_killed),
            ("root_in_a_host_cannot_set_the_machine", walls::machine),
            ("a_privileged_host_has_the_machines_rights_and_needs_root", walls::privileged),
            ("a_hosts_programs_have_limits_together", walls::limits),
            ("a_hosts_programs_share_their_memory", walls::memory),
            ("what_goes_down_with_an_interface_comes_back_with_it", private::bounce),
            ("a_route_that_moved_comes_back_where_it_went", private::moved_route),
            ("every_probe_answers", setting_up::probes),
            ("ends_are_reported_and_failures_to_start_are_errors", programs::ends),
            ("programs_run_as_the_caller_unless_root", programs::identity),
            ("programs_run_as_the_caller_of_sudo", programs::through_sudo),
            ("programs_inherit_nothing", programs::inheritance),
            ("listening_sockets_are_seen", programs::listening),
            ("shutting_down_is_gentle_then_firm", programs::shutdown),
            ("another_process_joins_and_dies_with_the_run", programs::joining),
            ("root_joins_a_normal_users_run_as_that_user", programs::joining_as_root),
            ("a_joined_shell_has_the_terminal_to_itself", programs::terminal),
            ("killing_the_main_process_leaves_nothing", leftovers::killed),
            ("killing_it_with_many_hosts_leaves_nothing", leftovers::killed_with_many_hosts),
            ("dropping_the_handle_leaves_nothing", leftovers::dropped),
        ],
        &[("--victim", leftovers::victim), ("--joiner", programs::joiner), ("--lender", programs::lender)],
    );
}
