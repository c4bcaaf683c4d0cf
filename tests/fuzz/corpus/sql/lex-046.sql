),
        ] {
            assert_tokens(flavor, sql, &[(Parameter, sql)]);
        }
        assert_tokens(Postgres, 