, 16),
            (Comment, 