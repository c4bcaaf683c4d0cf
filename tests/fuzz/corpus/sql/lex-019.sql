),
        ] {
            assert_tokens(flavor, sql, &[(String, sql)]);
        }
        assert_error(MySql, r