# `Rscript test_main.R` in this folder.

folder <- tempfile()
dir.create(folder)
writeLines(c("name,age", "a,30", "b,41", "c,"), file.path(folder, "table.csv"))
status <- system2("Rscript", c("main.R", "2", folder, file.path(folder, "table.csv")))
stopifnot(status == 0, identical(readLines(file.path(folder, "summary.csv")), c("column,count,mean", "age,2,35.5")))
cat("The test has passed.\n")
