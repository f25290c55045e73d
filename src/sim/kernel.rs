//! The user-mode Linux kernel: where it is looked for, and whether it is one.

use std::env;
use std::path::{Path, PathBuf};

use elf::ElfBytes;
use elf::endian::AnyEndian;

use super::SimError;
use crate::host::open;
use crate::units::ByteSize;

/// Names a kernel, before all other places.
pub const VARIABLE: &str = "LONGWIRE_KERNEL";
/// Its name beside the binary.
const BESIDE: &str = "longwire-kernel";
/// Its name in directories of longwire's own.
const NAME: &str = "kernel";
/// For packages.
const SYSTEM: &str = "/usr/lib/longwire";
/// No kernel is larger: with all debugging information it has about 300 MB.
const LARGEST: ByteSize = ByteSize::from_bytes(1 << 30);
/// Where time travel keeps the present: arch/um/kernel/time.c.
const TIME: &str = "time_travel_time";

/// A kernel that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Its file.
    pub path: PathBuf,
    /// The address of its clock in its memory: nanoseconds since boot, 8 bytes.
    pub(super) time_at: u64,
}

/// The kernel to use: `LONGWIRE_KERNEL`, else the first of `longwire-kernel` beside this program, `kernel` in
/// `$XDG_CACHE_HOME/longwire` (`~/.cache/longwire`) and in /usr/lib/longwire.
///
/// # Errors
/// There is none, or the one that was found is not one.
pub fn find() -> Result<Kernel, SimError> {
    if !cfg!(target_arch = "x86_64") {
        return Err(SimError::Lacks(format!(
            "virtual time needs an x86-64 processor, and this is {}: the kernel that it runs in exists for no other.\n  \
             `longwire run` works here",
            env::consts::ARCH
        )));
    }
    // without it no kernel of user-mode Linux can read a program's vector registers: PTRACE_GETREGSET of NT_X86_XSTATE is ENODEV
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("xsave") {
        return Err(SimError::Lacks(
            "virtual time needs a processor with XSAVE, and this one has none (qemu: `-cpu max`).\n  `longwire run` works here".into(),
        ));
    }
    if let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return check(Path::new(&path))
            .map_err(|wrong| SimError::Lacks(format!("{VARIABLE}={} {wrong}", path.display())));
    }
    for path in places() {
        if path.exists() {
            return check(&path).map_err(|wrong| SimError::Lacks(format!("{} {wrong}", path.display())));
        }
    }
    Err(SimError::Lacks(missing()))
}

fn places() -> Vec<PathBuf> {
    let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(BESIDE)));
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let cache = cache.map(|folder| folder.join("longwire").join(NAME));
    [beside, cache, Some(Path::new(SYSTEM).join(NAME))].into_iter().flatten().collect()
}

fn missing() -> String {
    let looked: Vec<String> = places().iter().map(|path| format!("    {}\n", path.display())).collect();
    // the first line is what `doctor` says
    format!(
        "virtual time needs a user-mode Linux kernel, and none was found: install longwire-kernel, or run `kernel/build`\n\n    \
         sudo apt-get install linux-source-6.12 build-essential flex bison bc xz-utils\n    \
         kernel/build   # 5 to 15 minutes\n\n  \
         It was looked for in ${VARIABLE} and in\n{}  docs/virtual-time.md says more",
        looked.concat()
    )
}

/// What is wrong with the file, to follow its name.
fn check(path: &Path) -> Result<Kernel, String> {
    if !path.is_file() {
        return Err("is not a file: name the kernel that kernel/build made".into());
    }
    let bytes = open::read(path, LARGEST).map_err(|error| format!("cannot be read: {}", open::plain(&error)))?;
    let not_one = "is not a user-mode Linux kernel with time travel: build one with kernel/build";
    let file = ElfBytes::<AnyEndian>::minimal_parse(&bytes).map_err(|_| not_one.to_owned())?;
    let table = file.symbol_table().ok().flatten();
    let (symbols, names) = table.ok_or_else(|| not_one.to_owned())?;
    let time = symbols.iter().find(|symbol| names.get(symbol.st_name as usize).is_ok_and(|name| name == TIME));
    let time_at = time.filter(|_| file.ehdr.e_type == elf::abi::ET_EXEC).ok_or_else(|| not_one.to_owned())?.st_value;
    Ok(Kernel { path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()), time_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kernel_is_said_to_be_none() {
        for (path, words) in [
            ("/no/such/file", "is not a file"),
            ("/tmp", "is not a file"),
            ("/proc/self/exe", "is not a user-mode Linux kernel"),
            ("/proc/self/status", "is not a user-mode Linux kernel"),
        ] {
            let wrong = check(Path::new(path)).unwrap_err();
            assert!(wrong.contains(words), "{path}: {wrong}");
        }
    }

    #[test]
    fn what_is_missing_names_the_commands_that_get_it() {
        let text = missing();
        for word in ["kernel/build", "linux-source-6.12", VARIABLE, SYSTEM] {
            assert!(text.contains(word), "{text}");
        }
        assert!(text.lines().next().is_some_and(|line| line.contains("kernel/build")), "{text}");
    }
}
