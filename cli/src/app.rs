//! One run of the program: what the commands share.

use std::path::PathBuf;

use anjuan_node::service::call::{Passphrase, SignAs};
use anjuan_node::service::{Call, ErrorKind, Handle, Progress, ServiceError};
use anjuan_node::text;
use anjuan_node::text::Text;
use serde::Serialize;

use crate::backend::Backend;
use crate::console::Console;
use crate::host::Host;
use crate::output::{Progress as Bar, Ui, prompt, stdout};
use crate::passphrase::{self, Secrets};
use crate::view::{Page, View};

/// What a command works with.
pub struct App<'a, H: Host> {
    /// Founds, opens and runs homes.
    pub host: &'a H,
    /// The home.
    pub home: PathBuf,
    /// How answers are shown.
    pub ui: Ui,
    /// Passphrases given in advance.
    pub secrets: Secrets,
    /// The streams.
    pub console: &'a mut dyn Console,
    /// The exit code of a command that did what it was asked for: other than 0 where the answer is a verdict.
    pub code: u8,
    node: Option<Backend<H::Service>>,
}

impl<H: Host> std::fmt::Debug for App<'_, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

impl<'a, H: Host> App<'a, H> {
    /// A run that has not yet asked a node.
    pub fn new(host: &'a H, home: PathBuf, ui: Ui, secrets: Secrets, console: &'a mut dyn Console) -> Self {
        Self {
            host,
            home,
            ui,
            secrets,
            console,
            code: 0,
            node: None,
        }
    }

    /// Asks the home's node.
    pub fn call<C: Call>(&mut self, call: C) -> Result<C::Answer, ServiceError>
    where
        H::Service: Handle<C>,
    {
        self.call_with(call, &mut |_| {})
    }

    /// Asks the home's node, which tells how far it is.
    pub fn call_with<C: Call>(
        &mut self,
        call: C,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<C::Answer, ServiceError>
    where
        H::Service: Handle<C>,
    {
        let node = match self.node.take() {
            Some(node) => node,
            None => {
                let mut bar = Bar::new(&self.ui, &text!("打开存储", "opening the store"));
                Backend::connect(self.host, &self.home, &mut |step| bar.at(step.done, step.total))?
            }
        };
        self.node.insert(node).handle(call, progress)
    }

    /// Asks the node for something that needs the key named `key`: with the passphrase given in advance,
    /// or with none, for the running node may hold the key unlocked; if it does not, a person is asked.
    pub fn call_unlocking<C: Call>(
        &mut self,
        key: &Text,
        given: Option<Passphrase>,
        make: impl Fn(Option<Passphrase>) -> C,
    ) -> Result<C::Answer, ServiceError>
    where
        H::Service: Handle<C>,
    {
        self.unlocking(key, given, |app, passphrase| app.call(make(passphrase)))
    }

    /// The same for anything that fails with [`ErrorKind::Locked`] before it does anything.
    pub fn unlocking<T>(
        &mut self,
        key: &Text,
        given: Option<Passphrase>,
        mut attempt: impl FnMut(&mut Self, Option<Passphrase>) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let nothing_given = given.is_none();
        match attempt(self, given) {
            Err(error) if error.kind == ErrorKind::Locked && nothing_given => {
                if !self.console.interactive() {
                    return Err(error);
                }
                let passphrase = passphrase::ask(self.console, self.ui.lang, key)?;
                attempt(self, Some(passphrase))
            }
            result => result,
        }
    }

    /// Asks the node for something that an operator signs.
    pub fn call_signing<C: Call>(
        &mut self,
        operator: Option<String>,
        make: impl Fn(SignAs) -> C,
    ) -> Result<C::Answer, ServiceError>
    where
        H::Service: Handle<C>,
    {
        self.call_signing_with(operator, make, &mut |_| {})
    }

    /// The same, of what takes long.
    pub fn call_signing_with<C: Call>(
        &mut self,
        operator: Option<String>,
        make: impl Fn(SignAs) -> C,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<C::Answer, ServiceError>
    where
        H::Service: Handle<C>,
    {
        let key = match &operator {
            Some(handle) => text!("操作员 {handle} ", "operator {handle}"),
            None => text!("操作员", "the operator"),
        };
        let given = self.secrets.given()?;
        self.unlocking(&key, given, |app, passphrase| {
            let sign = SignAs {
                operator: operator.clone(),
                passphrase: passphrase.map(|passphrase| passphrase.0),
            };
            app.call_with(make(sign), progress)
        })
    }

    /// A new passphrase for `key`: as given in advance, else by asking.
    pub fn new_passphrase(
        &mut self,
        key: &Text,
        given: Option<Passphrase>,
    ) -> Result<Passphrase, ServiceError> {
        match given {
            Some(passphrase) => Ok(passphrase),
            None if self.console.interactive() => passphrase::ask_new(self.console, self.ui.lang, key),
            None => Err(passphrase::missing(key)),
        }
    }

    /// Has a person confirm what can't be taken back. A script says `--yes`.
    pub fn confirm(&mut self, yes: bool, question: &Text) -> Result<(), ServiceError> {
        if yes {
            return Ok(());
        }
        if !self.console.interactive() {
            return Err(ServiceError::new(
                ErrorKind::Usage,
                text!(
                    "此操作不能撤回,需要确认",
                    "this cannot be taken back and needs to be confirmed"
                ),
            )
            .with_hint(text!("确认无误后加 --yes", "add --yes when sure")));
        }
        let question = format!("{} [y/N] ", question.in_lang(self.ui.lang));
        let answer = self.console.ask(&question).map_err(|error| unread(&error))?;
        if answer.as_deref().is_some_and(prompt::is_yes) {
            Ok(())
        } else {
            Err(ServiceError::new(
                ErrorKind::Usage,
                text!("没有确认,什么也没有做", "not confirmed; nothing was done"),
            ))
        }
    }

    /// Prints an answer.
    pub fn show<V: View + Serialize + ?Sized>(&mut self, view: &V) -> Result<(), ServiceError> {
        if self.ui.json {
            return self.print_json(view);
        }
        let mut page = Page::new(&self.ui);
        view.lay_out(&mut page);
        let text = page.finish();
        self.print(&text)
    }

    /// Prints a value as one line of JSON.
    pub fn print_json<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), ServiceError> {
        self.print(&json_line(value)?)
    }

    /// Prints text as it is.
    pub fn print(&mut self, text: &str) -> Result<(), ServiceError> {
        self.console.out(text).map_err(|error| {
            ServiceError::new(
                ErrorKind::Storage,
                text!(
                    "无法写到标准输出:{error}",
                    "cannot write to standard output: {error}"
                ),
            )
        })
    }
}

/// What is said when a question gets no answer.
pub fn unread(error: &std::io::Error) -> ServiceError {
    ServiceError::new(
        ErrorKind::Usage,
        text!("没有读到回答:{error}", "no answer was read: {error}"),
    )
}

/// A value as one line of JSON.
pub fn json_line<V: Serialize + ?Sized>(value: &V) -> Result<String, ServiceError> {
    stdout::json(value).map_err(|error| {
        ServiceError::new(
            ErrorKind::Internal,
            text!(
                "答复无法写成 JSON:{error}",
                "the answer cannot be written as JSON: {error}"
            ),
        )
    })
}
