//! Network interfaces of the machine: taken for a run, kept from the machine's own stack meanwhile, and given back as they were.
//!
//! What an interface was set to is also written to a file below [`RECORDS`], and the keeper holds a lock on it. So `longwire doctor
//! --restore` can give back what no keeper lives to give back.
#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use serde::{Deserialize, Serialize};

use super::configure;
use super::error::{Cause, HostError};
use super::netlink::Netlink;
use crate::port::packet::PacketPort;

/// Where settings of interfaces are noted while a run has them.
const RECORDS: &str = "/run/longwire-restore";

/// What is changed of an interface, as it was.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    name: String,
    index: u32,
    up: bool,
    arp: bool,
    /// `disable_ipv6`; `None` where this kernel has no IPv6.
    ipv6: Option<String>,
    /// Generic receive offload.
    gro: Option<u32>,
    /// ETHTOOL_GFLAGS: LRO, and what the card does with VLAN tags.
    flags: Option<u32>,
}

/// An interface that was taken. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Taken {
    before: Before,
    record: Option<Record>,
}

/// A file below [`RECORDS`]. Dropped, it is removed.
#[derive(Debug)]
struct Record {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Takes the interface `name` of this process's network namespace.
pub(crate) fn take(name: &str) -> Result<(PacketPort, u32, Taken), HostError> {
    let doing = || format!("take the interface `{name}`");
    let index = configure::interface_index(name)?
        .ok_or_else(|| HostError::input(doing(), "there is no such interface").cure("name one that `ip link` shows"))?;
    refuse_unfit(name).map_err(|reason| HostError::input(doing(), reason))?;
    let port = PacketPort::open(name, index).map_err(|error| {
        let error = HostError::os(doing(), error);
        match error.errno {
            Some(libc::EPERM) => error.cure("run with sudo: it takes CAP_NET_RAW and CAP_NET_ADMIN over its network"),
            Some(libc::EINVAL) => HostError { cause: Cause::Input, ..error }.cure("name an Ethernet interface"),
            _ => error,
        }
    })?;
    let mut netlink = Netlink::open()?;
    let before = Before {
        name: name.to_owned(),
        index,
        up: configure::settings(&mut netlink, index)?.up,
        arp: configure::has_arp(&mut netlink, index)?,
        ipv6: fs::read_to_string(disable_ipv6(name)).ok().map(|text| text.trim().to_owned()),
        gro: ethtool(name, ETHTOOL_GGRO, 0).ok(),
        flags: ethtool(name, ETHTOOL_GFLAGS, 0).ok(),
    };
    let record = Record::write(&before)?;
    // from here on it is given back, whatever happens
    let taken = Taken { before, record };
    taken.before.keep_from_the_machine(&mut netlink)?;
    Ok((port, index, taken))
}

/// Why an interface is not one to take.
fn refuse_unfit(name: &str) -> Result<(), String> {
    let class = Path::new("/sys/class/net").join(name);
    if class.join("phy80211").exists() || class.join("wireless").exists() {
        return Err("it is a Wi-Fi interface, which sends frames of its own address only; use a cable, or route".into());
    }
    let addresses = getifaddrs().map_err(|error| format!("its addresses cannot be read: {error}"))?;
    for own in addresses.filter(|own| own.interface_name == name) {
        if own.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            return Err("it is the loopback".into());
        }
        let Some(address) = own.address else { continue };
        let v6 = address.as_sockaddr_in6().map(|v6| v6.ip());
        if address.as_sockaddr_in().is_some() || v6.is_some_and(|v6| !v6.is_unicast_link_local()) {
            let address = address.to_string();
            let address = address.trim_end_matches(":0");
            return Err(format!(
                "the machine itself uses it, with the address {address}: \
                 take the addresses away first (`ip addr flush dev {name}`), or take another interface"
            ));
        }
    }
    Ok(())
}

impl Before {
    /// Its own stack hears and says nothing, and what arrives is handed on as it came.
    fn keep_from_the_machine(&self, netlink: &mut Netlink) -> Result<(), HostError> {
        let name = &self.name;
        let changed = |what: &str, error: io::Error| HostError::os(format!("{what} of `{name}`"), error);
        if self.ipv6.as_deref() == Some("0") {
            fs::write(disable_ipv6(name), "1").map_err(|e| changed("switch off IPv6", e))?;
        }
        if self.arp {
            configure::set_arp(netlink, self.index, name, false)?;
        }
        if self.gro == Some(1) {
            ethtool(name, ETHTOOL_SGRO, 0).map_err(|e| changed("switch off GRO", e))?;
        }
        if let Some(flags) = self.flags {
            // Whether the card can do without is its own affair: what it does with tags is put right on receipt.
            let _ = ethtool(name, ETHTOOL_SFLAGS, flags & !MERGES_OR_STRIPS);
        }
        if !self.up {
            configure::bring_up(netlink, self.index, name)?;
        }
        Ok(())
    }

    /// Best effort: the interface may be gone, or another by now.
    fn give_back(&self) {
        let name = &self.name;
        if configure::interface_index(name).ok().flatten() != Some(self.index) {
            return;
        }
        if let Ok(mut netlink) = Netlink::open() {
            if self.arp {
                let _ = configure::set_arp(&mut netlink, self.index, name, true);
            }
            if !self.up {
                let _ = configure::take_down(&mut netlink, self.index, name);
            }
        }
        if let Some(gro) = self.gro {
            let _ = ethtool(name, ETHTOOL_SGRO, gro);
        }
        if let Some(flags) = self.flags {
            let _ = ethtool(name, ETHTOOL_SFLAGS, flags);
        }
        if let Some(ipv6) = &self.ipv6 {
            let _ = fs::write(disable_ipv6(name), ipv6);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.before.give_back();
        drop(self.record.take());
    }
}

impl Record {
    /// `None` where this user may not write there: in a network namespace of its own, which ends with the run.
    fn write(before: &Before) -> Result<Option<Record>, HostError> {
        match fs::DirBuilder::new().create(RECORDS) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return Ok(None),
            Ok(()) => {}
        }
        let Some(namespace) = namespace() else { return Ok(None) };
        let path = Path::new(RECORDS).join(format!("{namespace}-{}-{}.json", before.name, before.index));
        let doing = || format!("note what `{}` was set to in {}", before.name, path.display());
        let options =
            || OpenOptions::new().write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(&path);
        let file = match options() {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS)) => {
                return Ok(None);
            }
            other => other.map_err(|e| HostError::os(doing(), e))?,
        };
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
            HostError::os(doing(), io::Error::from(error)).cure("another run has this interface: end it first")
        })?;
        if lock.metadata().is_ok_and(|found| found.len() > 0) {
            let reason = "a run that was killed has left its settings there";
            return Err(HostError::lacking(doing(), reason).cure("run `longwire doctor --restore` first"));
        }
        let text = serde_json::to_vec(before).map_err(|e| HostError::os(doing(), io::Error::from(e)))?;
        (&*lock).write_all(&text).map_err(|e| HostError::os(doing(), e))?;
        Ok(Some(Record { path, _lock: lock }))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        // Fails while other runs have theirs.
        let _ = fs::remove_dir(RECORDS);
    }
}

/// The network namespace that this process is in, as a number.
fn namespace() -> Option<u64> {
    fs::metadata("/proc/self/ns/net").ok().map(|found| found.ino())
}

/// Gives back the interfaces of this network namespace whose runs and keepers were killed. Returns their names.
///
/// # Errors
/// The notes cannot be read.
pub fn restore_abandoned() -> io::Result<Vec<String>> {
    let folder = match fs::read_dir(RECORDS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut restored = Vec::new();
    for entry in folder {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let here = namespace().map(|namespace| format!("{namespace}-"));
        if !here.is_some_and(|here| name.to_string_lossy().starts_with(&here)) {
            continue;
        }
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&path)?;
        // A keeper that lives sees to its own.
        let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else { continue };
        if let Ok(before) = serde_json::from_reader::<_, Before>(&*lock) {
            before.give_back();
            restored.push(before.name);
        }
        fs::remove_file(&path)?;
    }
    let _ = fs::remove_dir(RECORDS);
    Ok(restored)
}

fn disable_ipv6(name: &str) -> String {
    format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
}

// include/uapi/linux/ethtool.h
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_SFLAGS: u32 = 0x26;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_SGRO: u32 = 0x2c;
/// ETH_FLAG_TXVLAN, ETH_FLAG_RXVLAN, ETH_FLAG_LRO.
const MERGES_OR_STRIPS: u32 = 1 << 7 | 1 << 8 | 1 << 15;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// One of the calls of `SIOCETHTOOL` that take or give a number.
fn ethtool(name: &str, command: u32, data: u32) -> io::Result<u32> {
    // SAFETY: plain integers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut value = EthtoolValue { command, data };
    // SAFETY: an ifreq is plain bytes.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: SIOCETHTOOL reads and writes one `ethtool_value` through the pointer, which is that of a live one.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as libc::Ioctl, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value.data)
}
