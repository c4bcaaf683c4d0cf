CREATE DEFINER=`root`@`localhost` TRIGGER x BEFORE UPDATE ON t FOR EACH ROW
             BEGIN
               IF NOT (NEW.a <=> OLD.a) THEN
                 SET NEW.b = CASE WHEN NEW.a THEN 'public' ELSE IF(OLD.b = 1, 'x', 'y') END;
               ELSEIF NEW.c THEN
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a; b';
               ELSE IF NEW.d THEN SET NEW.e = 1; END IF;
               END IF;
             END