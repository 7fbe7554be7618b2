autocmd BufRead,BufNewFile *.ir setfiletype cnnc
