module thole/services/images/demo

go 1.24.0
