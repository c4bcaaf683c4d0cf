//! Odd input that is either sound, and works all the way, or refused before anything is done, in words that help.

mod files;
mod links;
mod many;
mod names;
