)]);
    }

    #[test]
    fn operators_of_several_characters_are_one_symbol() {
        for flavor in FLAVORS {
            for sql in OPERATORS {
                assert_tokens(flavor, sql, &[(Symbol, sql)]);
            }
        }
        assert_tokens(Postgres, 