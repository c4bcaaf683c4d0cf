)] {
            assert_error(flavor, sql, 3, 