window.demoClassicWrong = true; // never runs: the page names a wrong hash for this file
