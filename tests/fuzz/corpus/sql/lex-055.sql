),
                }
                // Statements leave out separators, white space and comments, and nothing else.
                if let Ok(parts) = statements(&sql, flavor) {
                    let offset = |text: &str| text.as_ptr().addr() - sql.as_ptr().addr();
                    let mut left_out = significant(&sql, flavor).unwrap();
                    left_out.retain(|token| {
                        let kept = |part: &&str| (offset(part)..offset(part) + part.len()).contains(&token.start);
                        !token.is_symbol(