#),
            (MySql, r