),
            (MySql, r#