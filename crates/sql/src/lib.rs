//! Statement text: lexer, canonical form, classification, hints.
