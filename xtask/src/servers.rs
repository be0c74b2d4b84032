//! The test servers by name, whatever they are written in: [`node`] has most, [`python`] and [`rust`] one each.

use crate::{node, python, rust};

/// The names of all, but for variants such as `4.8.4-no-eio3`.
pub(crate) fn names() -> Result<Vec<String>, String> {
    let mut names = node::server_folders()?;
    names.extend(OTHERS.map(|other| other.name.to_owned()));
    Ok(names)
}

/// A server that is not Node's.
struct Other {
    name: &'static str,
    install: fn() -> Result<Option<String>, String>,
}

const OTHERS: [Other; 2] = [
    Other {
        name: python::NAME,
        install: python::install,
    },
    Other {
        name: rust::NAME,
        install: rust::install,
    },
];

/// Finds the server that a name means; a variant is installed as the server it is one of.
pub(crate) fn find(name: &str) -> Result<String, String> {
    if OTHERS.iter().any(|other| other.name == name) {
        return Ok(name.to_owned());
    }
    node::folder_of(name).ok_or_else(|| match names() {
        Ok(names) => format!("there is no server {name:?}, only {}", names.join(", ")),
        Err(sentence) => sentence,
    })
}

/// Installs what these servers need, where it is missing or was installed from another list. Returns why some of them do not
/// run on this machine, one sentence each; nothing is installed for those.
pub(crate) fn install(names: &[String]) -> Result<Vec<String>, String> {
    let mut not_here = Vec::new();
    for name in names {
        let why = match OTHERS.iter().find(|other| other.name == name) {
            Some(other) => (other.install)()?,
            None => node::install(name)?,
        };
        not_here.extend(why);
    }
    Ok(not_here)
}

/// Installs what one server needs, which has to run on this machine.
pub(crate) fn install_one(name: &str) -> Result<(), String> {
    node::require_node()?;
    match install(&[find(name)?])?.pop() {
        None => Ok(()),
        Some(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_servers_are_found_by_their_names() {
        for other in OTHERS {
            assert_eq!(find(other.name).as_deref(), Ok(other.name));
        }
    }
}
