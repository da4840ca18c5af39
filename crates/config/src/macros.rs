//! The [`params!`](crate::params!) macro: a structure and its declarations, written once.

use crate::decl::Table;
use crate::value::Values;

/// A structure made by [`params!`](crate::params!).
pub trait Params: Sized {
    /// The declarations its fields were made from.
    const TABLE: &'static Table;
    /// The structure of these values.
    fn from_values(values: &Values) -> Self;
    /// Writes the fields back into values that declare them.
    fn store(&self, values: &mut Values);
    /// The values of the fields alone.
    fn to_values(&self) -> Values {
        let mut values = Values::defaults([Self::TABLE]);
        self.store(&mut values);
        values
    }
}

/// Declares parameters: from one line each come the field, parsing, validation, REST
/// metadata, printing and the reference page.
///
/// The doc comment is the help text; the constructor (see [`declare`](crate::declare)) gives
/// type and default, further words the rest. Blocks of their own are joined with
/// `..field: Type`.
///
/// ```
/// use tidegate_config::declare::*;
/// use tidegate_config::Params as _;
///
/// tidegate_config::params! {
///     /// Parameters of the example.
///     pub struct ExampleParams {
///         /// How many at most. 0: no limit.
///         most: u64 = count(0).runtime(),
///         /// How long to wait.
///         patience: std::time::Duration = seconds(10).runtime().reserved(),
///     }
/// }
///
/// assert_eq!(ExampleParams::TABLE.decls[0].name, "most");
/// assert_eq!(ExampleParams::default().patience.as_secs(), 10);
/// ```
#[macro_export]
macro_rules! params {
    ($(#[doc = $about:literal])* $vis:vis struct $name:ident {
        $( $(#[doc = $help:literal])+ $field:ident : $type:ty = $declaration:expr, )*
        $( .. $block:ident : $block_type:ty, )*
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $help])+ pub $field: $type, )*
            $( #[doc = ::core::concat!("A block of its own: [`", ::core::stringify!($block_type), "`].")]
               pub $block: $block_type, )*
        }

        impl $crate::Params for $name {
            const TABLE: &'static $crate::Table = &$crate::Table {
                about: ::core::concat!($($about),*).trim_ascii(),
                decls: &[ $({
                    let declaration: $crate::Param<$type> = $declaration;
                    declaration.finish(::core::stringify!($field), ::core::concat!($($help),+))
                }),* ],
                nested: &[ $( <$block_type as $crate::Params>::TABLE ),* ],
            };

            #[allow(unused_variables, unused_mut)]
            fn from_values(values: &$crate::Values) -> Self {
                let mut decls = <Self as $crate::Params>::TABLE.decls.iter();
                Self {
                    $( $field: $crate::take_field(values, &mut decls), )*
                    $( $block: <$block_type as $crate::Params>::from_values(values), )*
                }
            }

            #[allow(unused_variables, unused_mut)]
            fn store(&self, values: &mut $crate::Values) {
                let mut decls = <Self as $crate::Params>::TABLE.decls.iter();
                $( $crate::store_field(&self.$field, values, &mut decls); )*
                $( $crate::Params::store(&self.$block, values); )*
            }
        }

        impl ::core::default::Default for $name {
            /// Every parameter at its default, mandatory ones empty.
            fn default() -> Self {
                let values = $crate::Values::defaults([<Self as $crate::Params>::TABLE]);
                <Self as $crate::Params>::from_values(&values)
            }
        }

        impl ::core::fmt::Debug for $name {
            /// Secrets are masked.
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(::core::stringify!($name))?;
                ::core::fmt::Debug::fmt(&$crate::Params::to_values(self), f)
            }
        }
    };
}

/// The next declaration's value as a field.
#[doc(hidden)]
pub fn take_field<F: crate::Field>(
    values: &Values,
    decls: &mut std::slice::Iter<'static, crate::ParamDecl>,
) -> F {
    let value = decls.next().and_then(|decl| values.get(decl.name));
    F::from_value(value.unwrap_or(&crate::Value::Unset))
}

/// Stores a field as the next declaration's value.
#[doc(hidden)]
pub fn store_field<F: crate::Field>(
    field: &F,
    values: &mut Values,
    decls: &mut std::slice::Iter<'static, crate::ParamDecl>,
) {
    if let Some(decl) = decls.next() {
        values.set(decl.name, field.to_value());
    }
}
