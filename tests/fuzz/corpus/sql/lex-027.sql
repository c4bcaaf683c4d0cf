);
            assert_eq!(found[0].identifier().as_deref(), Some(expected));
        }
        assert_tokens(MySql, 