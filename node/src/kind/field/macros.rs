//! One declaration for each group of fields, list of codes and set of events: the struct, its checks and
//! its entry in the catalogue can't part.

/// Declares a struct of fields: `name: Type = "中文" / "English"`.
macro_rules! fields {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($field:ident : $ty:ty = $zh:literal / $en:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $(#[doc = concat!($zh, ": ", $en)] pub $field: $ty,)*
        }

        impl $crate::kind::field::Group for $name {
            #[allow(unused_variables)]
            fn read_map(
                map: &serde_json::Map<String, serde_json::Value>,
            ) -> Result<Self, $crate::kind::field::Fault> {
                Ok(Self {
                    $($field: $crate::kind::field::read(map, stringify!($field))?,)*
                })
            }

            #[allow(unused_mut)]
            fn write_map(&self) -> serde_json::Map<String, serde_json::Value> {
                let mut map = serde_json::Map::new();
                $(
                    let value = $crate::kind::field::Field::write(&self.$field);
                    if !value.is_null() {
                        map.insert(stringify!($field).to_owned(), value);
                    }
                )*
                map
            }

            fn specs() -> Vec<$crate::kind::catalog::FieldSpec> {
                vec![$($crate::kind::catalog::FieldSpec {
                    name: stringify!($field),
                    title: $crate::text::Text::new($zh, $en),
                    required: <$ty as $crate::kind::field::Field>::REQUIRED,
                    kind: <$ty as $crate::kind::field::Field>::kind(),
                },)*]
            }
        }

        impl $crate::kind::field::Field for $name {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::kind::field::Fault> {
                match value {
                    serde_json::Value::Object(map) => $crate::kind::field::Group::read_map(map),
                    other => Err($crate::kind::field::expected("一组字段", "a group of fields", other)),
                }
            }

            fn write(&self) -> serde_json::Value {
                serde_json::Value::Object($crate::kind::field::Group::write_map(self))
            }

            fn kind() -> $crate::kind::catalog::FieldKind {
                $crate::kind::catalog::FieldKind::Group {
                    fields: <Self as $crate::kind::field::Group>::specs(),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::kind::field::Group::write_map(self).serialize(serializer)
            }
        }
    };
}

/// Declares a closed list of codes: `Variant = "code" "中文" "English"`.
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($variant:ident = $code:literal $zh:literal $en:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!($zh, ": ", $en)] $variant,)*
        }

        impl $name {
            /// Every one, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code in the event map.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What it is called.
            pub fn title(self) -> $crate::text::Text {
                let (zh, en) = match self { $(Self::$variant => ($zh, $en),)* };
                $crate::text::Text::new(zh, en)
            }
        }

        impl $crate::kind::field::Field for $name {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::kind::field::Fault> {
                match value.as_str() {
                    $(Some($code) => Ok(Self::$variant),)*
                    _ => Err($crate::kind::field::unknown_code(value, &[$($code),*])),
                }
            }

            fn write(&self) -> serde_json::Value {
                self.code().into()
            }

            fn kind() -> $crate::kind::catalog::FieldKind {
                $crate::kind::catalog::FieldKind::Choice {
                    options: Self::ALL
                        .iter()
                        .map(|one| $crate::kind::catalog::Choice {
                            code: one.code().to_owned(),
                            title: one.title(),
                        })
                        .collect(),
                    open: false,
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.code())
            }
        }
    };
}

/// Declares a code from a replaceable table. A code that the table lacks is kept and shown as such.
macro_rules! open_code {
    ($(#[$meta:meta])* pub struct $name:ident = $table:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The code.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What the table calls it; the code itself where the table lacks it.
            pub fn title(&self) -> $crate::text::Text {
                let code = &self.0;
                let table: &[$crate::kind::catalog::Choice] = $table;
                table
                    .iter()
                    .find(|row| *row.code == **code)
                    .map_or_else(
                        || $crate::text!("未知代码 {code}", "unknown code {code}"),
                        |row| row.title.clone(),
                    )
            }
        }

        impl $crate::kind::field::Field for $name {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::kind::field::Fault> {
                $crate::kind::field::check_code(value).map(|code| Self(code.into()))
            }

            fn write(&self) -> serde_json::Value {
                (*self.0).into()
            }

            fn kind() -> $crate::kind::catalog::FieldKind {
                $crate::kind::catalog::FieldKind::Choice { options: $table.to_vec(), open: true }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

/// Declares the events of a kind: `Name "command" "中文" / "English", "中文说明" / "help"`.
macro_rules! events {
    ($(#[$meta:meta])* pub enum $event:ident / $kind:ident; creates [$($creates:ident),*]; {
        $($name:ident $command:literal $zh:literal / $en:literal, $help_zh:literal / $help_en:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant)]
        pub enum $event {
            $(#[doc = concat!($zh, ": ", $en)] $name($name),)*
        }

        /// The types of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind {
            $(#[doc = concat!($zh, ": ", $en)] $name,)*
        }

        impl $kind {
            /// Every type, in the order of the flow.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The `type` in the event map.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it is called.
            pub fn title(self) -> $crate::text::Text {
                let (zh, en) = match self { $(Self::$name => ($zh, $en),)* };
                $crate::text::Text::new(zh, en)
            }
        }

        impl $event {
            /// The event in `map`; `None` for a type that this program does not know.
            pub fn parse(
                map: &serde_json::Map<String, serde_json::Value>,
            ) -> Result<Option<Self>, $crate::kind::field::Fault> {
                match map.get("type").and_then(serde_json::Value::as_str) {
                    $(Some(stringify!($name)) => {
                        <$name as $crate::kind::field::Group>::read_map(map).map(Self::$name).map(Some)
                    })*
                    _ => Ok(None),
                }
            }

            /// The map that [`Self::parse`] reads.
            pub fn to_map(&self) -> serde_json::Map<String, serde_json::Value> {
                let mut map = match self {
                    $(Self::$name(event) => $crate::kind::field::Group::write_map(event),)*
                };
                map.insert("type".to_owned(), self.kind().name().into());
                map
            }

            /// Its type.
            pub fn kind(&self) -> $kind {
                match self { $(Self::$name(_) => $kind::$name,)* }
            }
        }

        $(impl From<$name> for $event {
            fn from(event: $name) -> Self {
                Self::$name(event)
            }
        })*

        impl serde::Serialize for $event {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.to_map().serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $event {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let map = serde_json::Map::deserialize(deserializer)?;
                let event = Self::parse(&map).map_err(serde::de::Error::custom)?;
                event.ok_or_else(|| serde::de::Error::custom("unknown type of event"))
            }
        }

        /// Every event with its fields, for front ends.
        pub fn catalog() -> &'static [$crate::kind::catalog::EventSpec] {
            static CATALOG: std::sync::LazyLock<Vec<$crate::kind::catalog::EventSpec>> =
                std::sync::LazyLock::new(|| {
                    let creates: &[$kind] = &[$($kind::$creates),*];
                    vec![$($crate::kind::catalog::EventSpec {
                        name: stringify!($name),
                        command: $command,
                        title: $crate::text::Text::new($zh, $en),
                        help: $crate::text::Text::new($help_zh, $help_en),
                        creates: creates.contains(&$kind::$name),
                        fields: <$name as $crate::kind::field::Group>::specs(),
                    },)*]
                });
            &CATALOG
        }
    };
}

pub(crate) use {choice, events, fields, open_code};
