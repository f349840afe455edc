self.addOne = number => number + 1;
