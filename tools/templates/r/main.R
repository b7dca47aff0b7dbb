# Says of each column with numbers in a table how many there are, and their mean.
# Rscript main.R DIGITS OUTPUT TABLE

given <- commandArgs(trailingOnly = TRUE)
digits <- as.integer(given[1])
table <- read.csv(given[3], check.names = FALSE)
if (nrow(table) == 0) {
  cat("::error The table has no rows. Choose another one.\n")
  quit(status = 1)
}
numeric <- names(table)[vapply(table, is.numeric, logical(1))]
summary <- data.frame(
  column = numeric,
  count = vapply(numeric, function(one) sum(!is.na(table[[one]])), numeric(1)),
  mean = vapply(numeric, function(one) round(mean(table[[one]], na.rm = TRUE), digits), numeric(1))
)
write.csv(summary, file.path(given[2], "summary.csv"), row.names = FALSE, quote = FALSE)
cat("::progress 1 done\n")
