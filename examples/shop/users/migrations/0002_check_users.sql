-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "users" ADD CONSTRAINT "users_display_name_check" CHECK (char_length("display_name") >= 1 AND char_length("display_name") <= 100) NOT VALID;

-- scaffold: outside a transaction

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "users" VALIDATE CONSTRAINT "users_display_name_check";
