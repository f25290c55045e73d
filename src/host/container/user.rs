//! Who a container's programs are: `Config.User`, in the words of its own /etc/passwd and /etc/group (passwd(5), group(5)).

use std::io;
use std::path::Path;

use nix::errno::Errno;

use super::super::open::{self, Descriptors};
use crate::units::ByteSize;

/// More is no table of users.
const MOST: ByteSize = ByteSize::from_bytes(1 << 20);

/// User, group, and supplementary groups.
type Ids = (u32, u32, Vec<u32>);

/// Finds them, in the mount namespace that this process is in. Its /proc need not show this process.
///
/// # Errors
/// `ESRCH` for a name that is in neither file.
pub(super) fn find(user: &str, descriptors: &Descriptors) -> Result<Ids, Errno> {
    let read = |path: &str| text(descriptors.read(path.as_ref(), MOST));
    ids(user, &read("/etc/passwd"), &read("/etc/group")).ok_or(Errno::ESRCH)
}

/// The home of a user: the root directory of one who has none.
pub(super) fn home(user: &str) -> String {
    let home = entry(user, &text(open::read(Path::new("/etc/passwd"), MOST))).and_then(|entry| entry.get(5).cloned());
    home.filter(|home| !home.is_empty()).unwrap_or_else(|| "/".into())
}

/// Whatever stands there is the container's: no file, or one that cannot be read, names nobody.
fn text(file: io::Result<Vec<u8>>) -> String {
    file.map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn fields(line: &str) -> Vec<String> {
    line.split(':').map(str::to_owned).collect()
}

/// The line of a user, by name or number, or by the first part of `user:group`.
fn entry(user: &str, passwd: &str) -> Option<Vec<String>> {
    let user = user.split(':').next().filter(|user| !user.is_empty()).unwrap_or("0");
    let number: Option<u32> = user.parse().ok();
    passwd.lines().map(fields).find(|entry| {
        entry.first().is_some_and(|name| name == user)
            || number.is_some() && entry.get(2).and_then(|id| id.parse::<u32>().ok()) == number
    })
}

fn ids(user: &str, passwd: &str, group: &str) -> Option<Ids> {
    let (user, asked) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let user = if user.is_empty() { "0" } else { user };
    let number: Option<u32> = user.parse().ok();
    let entry = entry(user, passwd);
    let of_entry = |at: usize| entry.as_ref()?.get(at)?.parse::<u32>().ok();
    let uid = number.or_else(|| of_entry(2))?;
    let groups: Vec<Vec<String>> = group.lines().map(fields).collect();
    let id = |entry: &Vec<String>| entry.get(2)?.parse::<u32>().ok();
    let gid = match asked {
        None => of_entry(3).unwrap_or(0),
        Some(name) => {
            let named = || groups.iter().find(|entry| entry.first().is_some_and(|own| own == name)).and_then(id);
            name.parse().ok().or_else(named)?
        }
    };
    let name = entry.as_ref().and_then(|entry| entry.first());
    let has = |entry: &&Vec<String>| {
        entry.get(3).is_some_and(|members| members.split(',').any(|one| Some(one) == name.map(String::as_str)))
    };
    // a group that was asked for is the only one, as the engines have it
    let more = groups.iter().filter(|_| asked.is_none()).filter(has).filter_map(id).collect();
    Some((uid, gid, more))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1234:1235::/app:\nbroken\n";
    const GROUP: &str = "root:x:0:\nweb:x:33:app,other\nlogs:x:44:other\n";

    #[test]
    fn users_are_who_the_containers_own_files_say() {
        let of = |user: &str| ids(user, PASSWD, GROUP);
        assert_eq!(of(""), Some((0, 0, vec![])));
        assert_eq!(of("app"), Some((1234, 1235, vec![33])));
        assert_eq!(of("1234"), Some((1234, 1235, vec![33])));
        assert_eq!(of("app:logs"), Some((1234, 44, vec![])));
        assert_eq!(of("77"), Some((77, 0, vec![])));
        assert_eq!(of("77:88"), Some((77, 88, vec![])));
        for nobody in ["nobody", "app:none", "broken", "-1"] {
            assert_eq!(of(nobody), None, "{nobody}");
        }
        // an image without any file
        assert_eq!(
            (ids("", "", ""), ids("5", "", ""), ids("app", "", "")),
            (Some((0, 0, vec![])), Some((5, 0, vec![])), None)
        );
    }
}
