//! Which language, before the arguments are parsed: their own errors are said in it.

use std::ffi::OsString;

use anjuan_node::text::Lang;

/// From `--lang`, else from the locale, else Chinese.
pub fn language(args: &[OsString], env: impl Fn(&str) -> Option<String>) -> Lang {
    let asked = option(args, "--lang");
    asked
        .as_deref()
        .and_then(Lang::parse)
        .or_else(|| {
            // The first that is set decides, as POSIX has it.
            ["LC_ALL", "LC_MESSAGES", "LANG"]
                .into_iter()
                .find_map(|name| env(name).filter(|value| !value.is_empty()))
                .and_then(|locale| Lang::parse(&locale))
        })
        .unwrap_or_default()
}

/// The value of an option, wherever it stands.
fn option(args: &[OsString], name: &str) -> Option<String> {
    let mut args = args.iter().map(|arg| arg.to_string_lossy());
    let mut found = None;
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        } else if arg == name {
            found = args.next().map(Into::into);
        } else if let Some(value) = arg.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            found = Some(value.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_goes_before_the_locale_and_chinese_is_the_default() {
        type Case<'c> = (&'c [&'c str], &'c [(&'c str, &'c str)], Lang);
        let cases: &[Case<'_>] = &[
            (&["anjuan"], &[], Lang::Zh),
            (&["anjuan"], &[("LANG", "en_GB.UTF-8")], Lang::En),
            (&["anjuan"], &[("LANG", "C.UTF-8")], Lang::Zh),
            (
                &["anjuan"],
                &[("LANG", "en_GB"), ("LC_ALL", "zh_CN.UTF-8")],
                Lang::Zh,
            ),
            (&["anjuan"], &[("LANG", "en_GB"), ("LC_ALL", "")], Lang::En),
            (
                &["anjuan", "status", "--lang", "en"],
                &[("LANG", "zh_CN")],
                Lang::En,
            ),
            (&["anjuan", "--lang=en", "status"], &[], Lang::En),
            (&["anjuan", "--lang", "fr"], &[("LANG", "en_US")], Lang::En),
            (&["anjuan", "--", "--lang", "en"], &[], Lang::Zh),
            (&["anjuan", "--lang"], &[], Lang::Zh),
        ];
        for (args, env, expected) in cases {
            let args: Vec<OsString> = args.iter().map(Into::into).collect();
            let env = |name: &str| {
                env.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(language(&args, env), *expected, "{args:?}");
        }
    }
}
