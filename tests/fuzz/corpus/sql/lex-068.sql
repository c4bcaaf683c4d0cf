create temp trigger if not exists x after update of a on t for each row when CASE new.a WHEN 1 THEN 0 END
             begin
               update t set b = CASE WHEN new.end THEN 'x;' ELSE begin END WHERE id = new.id;
               SELECT RAISE(ABORT, 'no'); -- ; END;
             end