, 11),
            (String, 