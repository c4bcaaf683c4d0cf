, &[]);
        assert_error(MySql, 