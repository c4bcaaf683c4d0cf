, 10),
            (Space, 