);
                        assert!(found.iter().all(|t| &sql[t.start..t.end()] == t.text));
                        assert!(found.iter().all(|t| !t.text.is_empty()));
                        cut += 1;
                    }
                    Err(error) => assert!(sql.is_char_boundary(error.offset), 