, 12),
            (Space, 