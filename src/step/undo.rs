//! How a step is taken back: what is remembered from before it ran, and what its inverse is.

use serde::{Deserialize, Serialize};

use super::add_check::AddCheck;
use super::add_foreign_key::AddForeignKey;
use super::add_unique::AddUnique;
use super::validate::Validate;
use super::{Context, Operation};
use crate::dialect::{ForeignKeyDefinition, OnDelete, References, Refusal, Sql, Table};

/// What takes a step back.
#[derive(Debug)]
pub enum Undo {
    /// These, in order; nothing, where the step changed nothing.
    By(Vec<Box<dyn Operation>>),
    /// It stays, and does no harm; the reason is a lower-case fragment.
    Stays(String),
}

impl Undo {
    /// One operation takes it back.
    pub(super) fn by(operation: impl Operation + 'static) -> Self {
        Self::By(vec![Box::new(operation)])
    }
}

/// What was there before a step ran, as far as its undo needs it; recorded when the step begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Whether the column took NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nullable: Option<bool>,
    /// The column's default, as SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The enum types that the step makes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// The indexes that the table had: MySQL makes one for a foreign key that has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<String>,
    /// The constraint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Constraint>,
}

/// A constraint that a step drops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// A CHECK.
    Check {
        /// Its expression, as the database prints it.
        expression: String,
        /// Whether every row had been looked at.
        valid: bool,
    },
    /// A foreign key.
    ForeignKey {
        /// The referring columns.
        columns: Vec<String>,
        /// The table referred to.
        table: String,
        /// The columns referred to.
        referenced: Vec<String>,
        /// What a delete does, where it does something.
        on_delete: Option<OnDelete>,
        /// Whether every row had been looked at.
        valid: bool,
    },
    /// A unique constraint.
    Unique {
        /// Its columns.
        columns: Vec<String>,
    },
}

impl Constraint {
    /// The constraint of a live table, as far as a step could add it again.
    pub(super) fn of(table: &Table, name: &str) -> Option<Self> {
        if let Some(check) = table.checks.iter().find(|check| check.name.as_deref() == Some(name)) {
            return Some(Self::Check { expression: check.expression.clone(), valid: !check.not_valid });
        }
        if let Some(unique) = table.uniques.iter().find(|unique| unique.name == name) {
            return Some(Self::Unique { columns: unique.columns.clone() });
        }
        let key = table.foreign_keys.iter().find(|key| key.name.as_deref() == Some(name))?;
        let on_delete = match key.on_delete.as_str() {
            "CASCADE" => Some(OnDelete::Cascade),
            "SET NULL" => Some(OnDelete::SetNull),
            // MySQL's RESTRICT is its default, and is shown where nothing was said.
            "NO ACTION" | "RESTRICT" => None,
            _ => return None,
        };
        let plain = ["NO ACTION", "RESTRICT"].contains(&key.on_update.as_str()) && !key.deferrable;
        plain.then(|| Self::ForeignKey {
            columns: key.columns.clone(),
            table: key.references.clone(),
            referenced: key.referenced_columns.clone(),
            on_delete,
            valid: !key.not_valid,
        })
    }

    /// What adds it again.
    pub(super) fn added_again(&self, table: &str, name: &str, context: &Context<'_>) -> Undo {
        let mut operations: Vec<Box<dyn Operation>> = Vec::new();
        let (table, name) = (table.to_owned(), name.to_owned());
        let valid = match self {
            Self::Check { expression, valid } => {
                let check = Sql::Same(expression.clone());
                operations.push(Box::new(AddCheck {
                    table: table.clone(),
                    name: name.clone(),
                    check,
                    allow_rewrite: false,
                }));
                *valid
            }
            Self::ForeignKey { columns, table: parent, referenced, on_delete, valid } => {
                let key = ForeignKeyDefinition {
                    name: Some(name.clone()),
                    columns: columns.clone(),
                    references: References { table: parent.clone(), columns: referenced.clone() },
                    on_delete: *on_delete,
                };
                operations.push(Box::new(AddForeignKey::of(&table, key)));
                *valid
            }
            Self::Unique { columns } => {
                operations.push(Box::new(AddUnique {
                    table: table.clone(),
                    name: name.clone(),
                    columns: columns.clone(),
                    allow_rewrite: false,
                }));
                false
            }
        };
        // A check is looked at when it is added, but for PostgreSQL; a foreign key need not be.
        if valid && (context.dialect.validates_later() || matches!(self, Self::ForeignKey { .. })) {
            operations.push(Box::new(Validate { table, name }));
        }
        Undo::By(operations)
    }
}

/// The refusal of a step that has no inverse.
pub(super) fn no_inverse(summary: &str) -> Refusal {
    Refusal::new(format!("`{summary}` cannot be undone"))
}
