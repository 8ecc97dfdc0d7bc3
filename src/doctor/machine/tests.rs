use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that stands for `/` while a test runs.
pub(in crate::doctor) struct Tree {
    root: PathBuf,
}

static TREES: AtomicUsize = AtomicUsize::new(0);

impl Tree {
    /// A tree with these files, and the folders that they are in.
    pub(in crate::doctor) fn new(files: &[(&str, &str)]) -> Tree {
        let number = TREES.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringpace-doctor-{}-{number}", std::process::id());
        let tree = Tree { root: std::env::temp_dir().join(name) };
        files.iter().for_each(|(path, text)| tree.put(path, text));
        tree
    }

    pub(in crate::doctor) fn put(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(in crate::doctor) fn machine(&self, cpus: &[usize]) -> Machine {
        Machine::new(&self.root, cpus.to_vec())
    }

    /// A bare-metal Ryzen 7 7700X, after the kernel's formats: 8 cores, the sibling of CPU n is n + 8,
    /// one L3 group, amd-pstate, boost on, idle states to 350 us, a network card and an NVMe drive.
    pub(in crate::doctor) fn ryzen() -> Tree {
        let tree = Tree::new(&[
            ("sys/devices/system/cpu/online", "0-15\n"),
            ("sys/devices/system/cpu/isolated", "\n"),
            ("sys/devices/system/cpu/nohz_full", "  (null)\n"),
            ("sys/devices/system/cpu/cpufreq/boost", "1\n"),
            ("sys/devices/system/cpu/cpuidle/current_driver", "acpi_idle\n"),
            ("sys/devices/system/node/node0/cpulist", "0-15\n"),
            ("sys/devices/system/node/possible", "0\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
            ("dev/cpu_dma_latency", ""),
            ("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/nvme0n1p2 ro quiet splash\n"),
            ("proc/cpuinfo", RYZEN_CPUINFO),
            ("proc/sys/kernel/osrelease", "6.8.0-45-generic\n"),
            ("proc/self/status", "Name:\tringpace\nUid:\t1000\t1000\t1000\t1000\n"),
            ("proc/self/limits", LIMITS),
            ("proc/self/timerslack_ns", "50000\n"),
            ("proc/1234/comm", "irqbalance\n"),
            ("proc/irq/default_smp_affinity", "ffff\n"),
            ("proc/irq/44/smp_affinity_list", "0-15\n"),
            ("proc/irq/44/effective_affinity_list", "2\n"),
            ("proc/irq/60/smp_affinity_list", "9\n"),
            ("usr/sbin/update-grub", ""),
        ]);
        for (flaw, status) in RYZEN_FLAWS {
            tree.put(&format!("sys/devices/system/cpu/vulnerabilities/{flaw}"), status);
        }
        tree.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
        (0..16).for_each(|cpu| tree.put_ryzen_cpu(cpu));
        tree
    }

    fn put_ryzen_cpu(&self, cpu: usize) {
        let folder = format!("sys/devices/system/cpu/cpu{cpu}");
        let core = cpu % 8;
        let siblings = format!("{core},{}\n", core + 8);
        self.put(&format!("{folder}/topology/physical_package_id"), "0\n");
        self.put(&format!("{folder}/topology/core_id"), &format!("{core}\n"));
        self.put(&format!("{folder}/topology/thread_siblings_list"), &siblings);
        for (index, level, shared) in [(0, "1\n", &*siblings), (3, "3\n", "0-15\n")] {
            self.put(&format!("{folder}/cache/index{index}/level"), level);
            self.put(&format!("{folder}/cache/index{index}/shared_cpu_list"), shared);
        }
        self.put(&format!("{folder}/cpufreq/scaling_governor"), "powersave\n");
        self.put(&format!("{folder}/cpufreq/scaling_driver"), "amd-pstate-epp\n");
        for (state, (name, latency)) in RYZEN_STATES.iter().enumerate() {
            self.put(&format!("{folder}/cpuidle/state{state}/name"), name);
            self.put(&format!("{folder}/cpuidle/state{state}/latency"), latency);
            self.put(&format!("{folder}/cpuidle/state{state}/disable"), "0\n");
        }
    }

    /// Two sockets of four cores without SMT, a NUMA node and an L3 group each.
    pub(in crate::doctor) fn two_sockets() -> Tree {
        let tree = Tree::new(&[
            ("sys/devices/system/cpu/online", "0-7\n"),
            ("sys/devices/system/node/node0/cpulist", "0-3\n"),
            ("sys/devices/system/node/node1/cpulist", "4-7\n"),
        ]);
        for cpu in 0..8 {
            let folder = format!("sys/devices/system/cpu/cpu{cpu}");
            let (package, group) = if cpu < 4 { ("0\n", "0-3\n") } else { ("1\n", "4-7\n") };
            tree.put(&format!("{folder}/topology/physical_package_id"), package);
            tree.put(&format!("{folder}/topology/thread_siblings_list"), &format!("{cpu}\n"));
            tree.put(&format!("{folder}/cache/index3/level"), "3\n");
            tree.put(&format!("{folder}/cache/index3/shared_cpu_list"), group);
        }
        tree
    }

    /// A 2-CPU Firecracker guest on an AMD EPYC, as captured.
    pub(in crate::doctor) fn guest() -> Tree {
        let tree = Tree::new(&[
            ("sys/devices/system/cpu/online", "0-1\n"),
            ("sys/devices/system/cpu/isolated", "\n"),
            ("sys/devices/system/cpu/cpuidle/current_driver", "haltpoll\n"),
            ("sys/devices/system/node/node0/cpulist", "0-1\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("proc/cpuinfo", GUEST_CPUINFO),
            ("proc/cmdline", "mitigations=auto,no_guest_host console=ttyS0 quiet panic=1\n"),
            ("proc/self/status", "Name:\thead\nUid:\t0\t0\t0\t0\n"),
        ]);
        for cpu in 0..2 {
            let folder = format!("sys/devices/system/cpu/cpu{cpu}");
            tree.put(&format!("{folder}/topology/thread_siblings_list"), &format!("{cpu}\n"));
            for (state, name, latency) in [(0, "POLL\n", "0\n"), (1, "haltpoll idle\n", "1\n")] {
                tree.put(&format!("{folder}/cpuidle/state{state}/name"), name);
                tree.put(&format!("{folder}/cpuidle/state{state}/latency"), latency);
                tree.put(&format!("{folder}/cpuidle/state{state}/disable"), "0\n");
            }
        }
        tree
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The one finding of this id.
#[track_caller]
pub(in crate::doctor) fn pick(findings: &[Finding], id: &str) -> Finding {
    let found: Vec<&Finding> = findings.iter().filter(|finding| finding.id == id).collect();
    assert_eq!(found.len(), 1, "findings called {id} in {findings:#?}");
    found[0].clone()
}

const RYZEN_CPUINFO: &str = "\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD Ryzen 7 7700X 8-Core Processor
flags\t\t: fpu vme de pse tsc msr pae mce cx8 apic constant_tsc nonstop_tsc

processor\t: 1
model name\t: AMD Ryzen 7 7700X 8-Core Processor
";

const GUEST_CPUINFO: &str = "\
processor\t: 0
model name\t: AMD EPYC
flags\t\t: fpu vme de pse tsc msr tsc_deadline_timer aes avx f16c rdrand hypervisor lahf_lm
";

const RYZEN_STATES: [(&str, &str); 4] =
    [("POLL\n", "0\n"), ("C1\n", "1\n"), ("C2\n", "18\n"), ("C3\n", "350\n")];

const RYZEN_FLAWS: [(&str, &str); 4] = [
    ("meltdown", "Not affected\n"),
    ("spec_rstack_overflow", "Mitigation: Safe RET\n"),
    ("spectre_v2", "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional\n"),
    ("vmscape", "Vulnerable\n"),
];

const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 1048576              files     
Max locked memory         8388608              8388608              bytes     
";

#[track_caller]
fn check_list(text: &str, expected: &[usize]) {
    assert_eq!(cpu_list(text), expected, "{text:?}");
}

#[test]
fn lists_read_as_the_kernel_prints_them() {
    check_list("0-3,8\n", &[0, 1, 2, 3, 8]);
    check_list("\n", &[]);
    check_list("  (null)\n", &[]);
    check_list("0-3\u{fffd}", &[]);
}

#[test]
fn cpus_are_named_in_the_shortest_way() {
    assert_eq!(name(&[3]), "CPU 3");
    assert_eq!(name(&[0, 1, 2, 8]), "CPUs 0-2,8");
    assert_eq!(show(&[]), "none");
}

#[test]
fn a_field_is_found_by_its_whole_name() {
    assert_eq!(colon_field("cpu cores\t: 8\ncore\t: 1\n", "core"), Some("1"));
    assert_eq!(colon_field("no colon here", "no colon here"), None);
}

#[test]
fn root_is_who_the_effective_id_says() {
    let tree = Tree::new(&[("proc/self/status", "Uid:\t1000\t0\t0\t0\n")]);
    assert!(tree.machine(&[0]).is_root());
    tree.put("proc/self/status", "Uid:\t0\t1000\t0\t0\n");
    assert!(!tree.machine(&[0]).is_root());
}

#[test]
fn a_guest_is_told_from_bare_metal_by_the_processor() {
    assert!(Tree::guest().machine(&[0]).is_virtual());
    assert!(!Tree::ryzen().machine(&[0]).is_virtual());
}

#[test]
fn a_machine_that_shows_nothing_has_the_chosen_cpus_and_no_text() {
    let tree = Tree::new(&[]);
    let machine = tree.machine(&[2, 3]);
    assert_eq!(machine.online(), &[2, 3]);
    assert_eq!(machine.line("proc/cmdline"), None);
    assert!(machine.names("proc").is_empty());
    assert!(!machine.may_write("dev/cpu_dma_latency"));
}

#[test]
fn the_boot_command_is_that_of_the_distribution() {
    let tree = Tree::new(&[]);
    let boot = || tree.machine(&[0]).boot_with("a=1");
    assert_eq!(boot(), "# by your boot loader, on the kernel's command line: a=1");
    tree.put("usr/sbin/grubby", "");
    assert_eq!(boot(), r#"sudo grubby --update-kernel=ALL --args="a=1" && sudo reboot"#);
    tree.put("usr/sbin/update-grub", "");
    assert!(boot().starts_with(r#"echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX a=1"' | sudo"#));
}
