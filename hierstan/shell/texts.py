"""What the help and the demo say in more than a line."""

EXAMPLES = """\
examples:
  hierstan compare schools.csv --group school --estimate effect --se se
  hierstan compare schools.csv --group school --estimate effect --se se \\
      --prior tau='HalfNormal(5)' --prob 0.95 --report schools.html --output schools.csv
  hierstan compare variants.csv --group variant --successes bought --trials visits \\
      --control A --caring 0.002
  hierstan compare umsatz.csv --sep ';' --decimal , --encoding latin-1 \\
      --group age --group channel --outcome amount --family lognormal
  hierstan compare players.csv --group player --successes hits --trials at_bats
  hierstan compare answers.csv --group store --rating stars --order 1,2,3,4,5
  hierstan compare pumps.csv --group pump --events failures --exposure hours
  hierstan compare trials.csv --group trial --events-treatment ill --total-treatment given \\
      --events-control ill_without --total-control without
  hierstan compare experiment.csv --group country --arm page --control old \\
      --successes bought --trials users
  hierstan compare patients.csv --group hospital --arm arm --control placebo --outcome pressure \\
      --adjust age sex
  hierstan compare schools.csv --group school --estimate effect --se se --predictors pupils
  hierstan compare segments.csv --group age --group channel --factor region --by region \\
      --successes sold --trials seen
  hierstan compare visitors.csv --group variant --outcome spent --two-part \\
      --control A --caring 0.05
  gunzip -c orders.csv.gz | hierstan compare - --group shop --outcome amount --family lognormal

"""
EXIT_CODES = """\
exit codes:
  0    done
  1    the file, the data, a template or the engine was refused; the message says why
  2    the command line was not understood
  130  interrupted with Ctrl-C
"""
MORE = """\
In words:
  tau   how much the groups differ: the standard deviation of their true means
  elpd  how well a pooling predicts what it has not seen; higher is better
  ±     the standard error of a difference in elpd: twice that may be chance

With a table of your own, one line per group:
  hierstan compare FILE.csv --group COLUMN --estimate COLUMN --se COLUMN
or counts (--successes --trials, --events --exposure) or rows (--outcome).
--report page.html writes a page to pass on; 'hierstan compare --help' has the
rest."""
