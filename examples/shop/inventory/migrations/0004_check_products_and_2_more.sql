-- lock: ACCESS EXCLUSIVE; rows: untouched
ALTER TABLE "stocks" DROP CONSTRAINT IF EXISTS "stocks_product_id_check";

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "products" ADD CONSTRAINT "products_tags_check" CHECK (jsonb_array_length("tags") <= 20) NOT VALID;

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "stocks" ADD CONSTRAINT "stocks_product_id_check" CHECK (char_length("product_id") >= 1 AND char_length("product_id") <= 64) NOT VALID;

-- scaffold: outside a transaction

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "products" VALIDATE CONSTRAINT "products_tags_check";

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "stocks" VALIDATE CONSTRAINT "stocks_product_id_check";
