-- lock: ACCESS EXCLUSIVE; rows: untouched
ALTER TABLE "products" DROP CONSTRAINT IF EXISTS "products_price_cents_check";

-- lock: ACCESS EXCLUSIVE; rows: untouched
ALTER TABLE "stocks" DROP CONSTRAINT IF EXISTS "stocks_available_check";

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "products" ADD CONSTRAINT "products_price_cents_check" CHECK ("price_cents" > 0 AND "price_cents" <= 100000000) NOT VALID;

-- lock: ACCESS EXCLUSIVE; rows: untouched
-- From now on nobody, and no process of the version before, writes what it refuses.
ALTER TABLE "stocks" ADD CONSTRAINT "stocks_available_check" CHECK ("available" >= 0 AND "available" <= 1000000000) NOT VALID;

-- scaffold: outside a transaction

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "products" VALIDATE CONSTRAINT "products_price_cents_check";

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
-- Fails if a row breaks it already: settle those first.
ALTER TABLE "stocks" VALIDATE CONSTRAINT "stocks_available_check";
