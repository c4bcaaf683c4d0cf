) && !parts.iter().any(kept)
                    });
                    assert_eq!(left_out, [], 