//! Printing back: objects as sections that read back as the same values.
//!
//! A section holds what differs from the defaults and what is mandatory. It may hold
//! passwords, so the text is a [`Secret`]: whoever writes it to a file says so.

use crate::config::{Config, Object};
use crate::decl::ParamDecl;
use crate::object::ObjectKind;
use crate::print::print;
use crate::secret::Secret;
use crate::value::Value;

impl<P> Object<P> {
    /// The object as a section of a file.
    #[must_use]
    pub fn section(&self) -> Secret {
        let mut text = format!("[{}]\n", self.name);
        if self.kind != ObjectKind::MaxScale {
            text.push_str(&format!("type={}\n", self.kind.noun()));
        }
        for (decl, value) in self.whole.iter() {
            if is_written(decl, value) {
                let value = print(decl, value);
                text.push_str(&format!("{}={}\n", decl.name, value.reveal()));
            }
        }
        Secret::new(text)
    }
}

fn is_written(decl: &ParamDecl, value: &Value) -> bool {
    match value {
        Value::Unset => false,
        _ => decl.mandatory || *value != decl.default_value(),
    }
}

impl Config {
    /// Everything as one file that loads as the same configuration.
    #[must_use]
    pub fn export(&self) -> Secret {
        let sections = std::iter::once(self.maxscale.section())
            .chain(self.servers.iter().map(Object::section))
            .chain(self.monitors.iter().map(Object::section))
            .chain(self.filters.iter().map(Object::section))
            .chain(self.services.iter().map(Object::section))
            .chain(self.listeners.iter().map(Object::section));
        let sections: Vec<Secret> = sections.collect();
        let texts: Vec<&str> = sections.iter().map(Secret::reveal).collect();
        Secret::new(texts.join("\n"))
    }
}
