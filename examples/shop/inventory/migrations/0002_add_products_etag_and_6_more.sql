-- lock: ACCESS EXCLUSIVE; rows: untouched
ALTER TABLE "products" ADD COLUMN "etag" text NOT NULL DEFAULT '';

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "products" ADD CONSTRAINT "products_id_check" CHECK (char_length("id") <= 64) NOT VALID;

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "products" ADD CONSTRAINT "products_name_check" CHECK (char_length("name") >= 1 AND char_length("name") <= 200) NOT VALID;

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "products" ADD CONSTRAINT "products_price_cents_check" CHECK ("price_cents" > 0) NOT VALID;

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "stocks" ADD CONSTRAINT "stocks_product_id_check" CHECK (char_length("product_id") >= 1) NOT VALID;

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "stocks" ADD CONSTRAINT "stocks_available_check" CHECK ("available" >= 0) NOT VALID;

-- lock: SHARE ROW EXCLUSIVE; rows: untouched
-- It locks "products" too. From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "stocks" ADD CONSTRAINT "stocks_product_id_fkey" FOREIGN KEY ("product_id") REFERENCES "products" ("id") NOT VALID;

-- scaffold: outside a transaction

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "products" VALIDATE CONSTRAINT "products_id_check";

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "products" VALIDATE CONSTRAINT "products_name_check";

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "products" VALIDATE CONSTRAINT "products_price_cents_check";

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "stocks" VALIDATE CONSTRAINT "stocks_product_id_check";

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "stocks" VALIDATE CONSTRAINT "stocks_available_check";

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "stocks" VALIDATE CONSTRAINT "stocks_product_id_fkey";
